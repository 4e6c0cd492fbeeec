import { Badge, Button, Card, Group, Modal, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "react-router";

import { refusalInWords } from "../api/refusals";
import { Notice } from "../components/Notice";
import { payeesQuery, refreshBank, removePayee } from "./api";
import { BankPage } from "./BankPage";
import { Listing, Nothing } from "./Listing";
import type { Payee } from "./types";

const ADD = (
  <Button component={Link} to="/bank/payees/new" size="lg">
    Add a payee
  </Button>
);

export function PayeesPage() {
  const payees = useQuery(payeesQuery);
  const [leaving, setLeaving] = useState<Payee | null>(null);
  const told = (useLocation().state as { told?: string } | null)?.told;
  return (
    <BankPage title="Payees" lead="People and companies you can send money to." action={ADD}>
      {told && <Notice>{told}</Notice>}
      <Listing query={payees} what="your payees" rowHeight={88}>
        {(list) =>
          list.length === 0 ? (
            <Nothing title="You have no payees yet">Add someone, and you can send them money here or by voice.</Nothing>
          ) : (
            <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: "none" }}>
              {list.map((payee) => (
                <PayeeRow key={payee.id} payee={payee} remove={() => setLeaving(payee)} />
              ))}
            </Stack>
          )
        }
      </Listing>
      <RemoveDialog payee={leaving} close={() => setLeaving(null)} />
    </BankPage>
  );
}

function PayeeRow({ payee, remove }: { payee: Payee; remove: () => void }) {
  return (
    <Card component="li" withBorder padding="md" radius="lg">
      <Group justify="space-between" gap="sm">
        <div style={{ minWidth: 0, flex: "1 1 14rem" }}>
          <Group gap="xs">
            <Title order={2} fz="lg" style={{ overflowWrap: "anywhere" }}>
              {payee.nickname}
            </Title>
            {payee.is_new && (
              <Badge variant="light" tt="none" size="lg" fw={500} fz="sm">
                New
              </Badge>
            )}
          </Group>
          {payee.name !== payee.nickname && <Text style={{ overflowWrap: "anywhere" }}>{payee.name}</Text>}
          <Text c="dimmed" className="figures">
            {payee.account_masked} {payee.ifsc ?? "at this bank"}
          </Text>
          {payee.is_new && <Text c="dimmed">For its first day a code is always asked for, and less can be sent.</Text>}
        </div>
        <Group gap="xs" wrap="nowrap">
          <Button
            component={Link}
            to={`/bank/transfer?to=${payee.id}`}
            variant="default"
            h={44}
            aria-label={`Send money to ${payee.nickname}`}
          >
            Send money
          </Button>
          <Button
            variant="subtle"
            color="red"
            c="var(--mantine-color-error)"
            h={44}
            onClick={remove}
            aria-label={`Remove ${payee.nickname}`}
          >
            Remove
          </Button>
        </Group>
      </Group>
    </Card>
  );
}

function RemoveDialog({ payee, close }: { payee: Payee | null; close: () => void }) {
  const queryClient = useQueryClient();
  const removal = useMutation({
    mutationFn: (id: string) => removePayee(id),
    onSuccess: async () => {
      await refreshBank(queryClient);
      close();
    },
  });
  function leave() {
    removal.reset();
    close();
  }
  return (
    <Modal
      opened={payee !== null}
      onClose={leave}
      title={`Remove ${payee?.nickname ?? ""}?`}
      centered
      radius="lg"
      padding="lg"
      transitionProps={{ duration: 0 }}
      closeButtonProps={{ "aria-label": "Close", size: 44 }}
      styles={{ title: { fontSize: "1.25rem", fontWeight: 650, overflowWrap: "anywhere" } }}
    >
      {payee && (
        <Stack gap="md">
          <Text style={{ overflowWrap: "anywhere" }}>
            You will no longer be able to send money to {payee.name}, {payee.account_masked}. What you have sent stays
            on your statement.
          </Text>
          {removal.error && <Notice trouble>{refusalInWords(removal.error)}</Notice>}
          <Group gap="sm" className="actions">
            <Button color="red.9" size="lg" loading={removal.isPending} onClick={() => removal.mutate(payee.id)}>
              Remove
            </Button>
            <Button variant="default" size="lg" onClick={leave} data-autofocus>
              Keep
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
