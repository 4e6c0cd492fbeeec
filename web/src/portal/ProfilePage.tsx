import { Button, Card, Group, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { api } from "../api/client";
import { sessionsQuery } from "../api/queries";
import { refusalInWords } from "../api/refusals";
import { dayAndTime, heading } from "../components/format";
import { LoadFault } from "../components/LoadFault";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { usePortal } from "./PortalContext";
import { SecondFactorCard } from "./SecondFactorCard";

const KYC: Record<string, string> = {
  verified: "Verified",
  pending: "Being checked",
  rejected: "Not accepted: ask the bank",
};

/** Who is logged in, how they prove it, and where. */
export default function ProfilePage() {
  const { me, leave } = usePortal();
  const [leaving, setLeaving] = useState(false);
  const facts = [
    ["Name", me.name],
    ["E-mail", me.email],
    ["Phone", me.phone],
    ["Identity", me.kyc_status && (KYC[me.kyc_status] ?? heading(me.kyc_status))],
  ].filter(([, value]) => value);
  return (
    <Page size={720}>
      <PageTitle>Your profile</PageTitle>
      <Card withBorder padding="lg" radius="lg">
        {facts.length > 0 ? (
          <Table variant="vertical" horizontalSpacing={0} verticalSpacing={6} withRowBorders={false}>
            <Table.Tbody>
              {facts.map(([name, value]) => (
                <Table.Tr key={name}>
                  <Table.Th w="8rem" fw={400} c="dimmed" bg="none">
                    {name}
                  </Table.Th>
                  <Table.Td style={{ overflowWrap: "anywhere" }} className="figures">
                    {value}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        ) : (
          <Text>You are here with a code. Nothing about you is on record.</Text>
        )}
      </Card>
      {me.role !== "otp" && (
        <>
          <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="password">
            <Group justify="space-between" gap="sm">
              <Title order={2} id="password">
                Password
              </Title>
              <Button component={Link} to="/profile/password" h={44} variant="default">
                Change password
              </Button>
            </Group>
          </Card>
          <SecondFactorCard factor={me.second_factor} />
        </>
      )}
      <Logins />
      <Button
        size="lg"
        variant="default"
        loading={leaving}
        onClick={() => {
          setLeaving(true);
          void leave();
        }}
      >
        Log out
      </Button>
    </Page>
  );
}

/** Every browser that is logged in; one that is not one's own can be sent away. */
export function Logins() {
  const sessions = useQuery(sessionsQuery);
  const queryClient = useQueryClient();
  const ending = useMutation({
    mutationFn: (session_id: string) =>
      api.DELETE("/api/v1/me/sessions/{session_id}", { params: { path: { session_id } } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  });
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="logins">
      <Stack gap="sm">
        <Title order={2} id="logins">
          Where you are logged in
        </Title>
        {sessions.isError && <LoadFault what="your log-ins" retry={sessions.refetch} error={sessions.error} />}
        {sessions.isPending && <Skeleton height={56} radius="md" />}
        {sessions.data?.length === 0 && <Text c="dimmed">Here only.</Text>}
        {sessions.data?.map(({ id, opened_at, renewed_at, current }) => (
          <Group key={id} justify="space-between" gap="sm" mih={44}>
            <div>
              <Text fw={current ? 600 : undefined}>{current ? "Here" : "Another browser"}</Text>
              <Text c="dimmed" fz="sm" className="figures">
                Since {dayAndTime(opened_at)}, last used about {dayAndTime(renewed_at)}
              </Text>
            </div>
            {!current && (
              <Button
                variant="default"
                h={44}
                loading={ending.isPending && ending.variables === id}
                onClick={() => ending.mutate(id)}
                aria-label={`Log out there, since ${dayAndTime(opened_at)}`}
              >
                Log out there
              </Button>
            )}
          </Group>
        ))}
        {ending.error && <Notice trouble>{refusalInWords(ending.error)}</Notice>}
      </Stack>
    </Card>
  );
}
