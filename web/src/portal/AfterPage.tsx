import { Button, Card, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, Navigate } from "react-router";

import { meQuery } from "../api/queries";
import { refreshBank, transferQuery } from "../bank/api";
import { TransferList } from "../bank/TransferList";
import { CardList } from "../call/Cards";
import { TurnList } from "../call/ConversationView";
import { ending } from "../call/end-reasons";
import { duration } from "../components/format";
import { LoadFault } from "../components/LoadFault";
import { Page, PageTitle } from "../components/Page";
import { usePortal } from "./PortalContext";
import { usesInWords } from "./uses";

/** The agent type that has the bank behind it. */
const BANK = "banking";

export default function AfterPage() {
  const { me, call } = usePortal();
  const queryClient = useQueryClient();
  useEffect(() => {
    void queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
    void refreshBank(queryClient);
  }, [queryClient]);

  const state = call?.snapshot();
  if (!call || !state || state.phase !== "ended") return <Navigate to="/agents" replace />;
  const { title, explanation } = ending(state.endReason);
  const length = state.startedAt && state.endedAt ? duration(state.endedAt - state.startedAt) : null;
  const usedUp = me.remaining_uses !== null && me.remaining_uses <= 0;
  return (
    <Page size={760}>
      <PageTitle lead={explanation}>{title}</PageTitle>
      <Group gap="sm" className="actions">
        {!usedUp && (
          <Button component={Link} to={`/agents/${encodeURIComponent(call.agent.id)}/ready`} size="lg">
            Call again
          </Button>
        )}
        <Button component={Link} to="/agents" size="lg" variant={usedUp ? "filled" : "default"}>
          Choose another assistant
        </Button>
      </Group>
      <Text c="dimmed" className="figures">
        {[
          `With ${call.agent.name}`,
          length && `${length} long`,
          me.remaining_uses !== null && usesInWords(me.remaining_uses),
        ]
          .filter(Boolean)
          .join(" · ")}
      </Text>
      {call.agent.id === BANK && <WhatWasDone ids={state.acts.ids} />}
      {state.cards.length > 0 && <CardList cards={state.cards} />}
      <Card withBorder padding="lg" radius="lg">
        <Stack gap="md">
          <Title order={2}>What was said</Title>
          {state.conversation.turns.length > 0 ? (
            <TurnList turns={state.conversation.turns} agentName={call.agent.name} />
          ) : (
            <Text c="dimmed">Nothing was said in this call.</Text>
          )}
        </Stack>
      </Card>
    </Page>
  );
}

/** From the bank's books, not from what was said. */
function WhatWasDone({ ids }: { ids: readonly string[] }) {
  const records = useQueries({ queries: ids.map(transferQuery) });
  const found = records.flatMap(({ data }) => data ?? []);
  const failed = records.find(({ isError }) => isError);
  const loading = records.some(({ isPending }) => isPending);
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="done">
      <Stack gap="md">
        <Title order={2} id="done">
          What was done
        </Title>
        {ids.length === 0 && <Text c="dimmed">No money was moved in this call.</Text>}
        {found.length > 0 && <TransferList transfers={found} />}
        {loading && <Skeleton height={72} radius="md" />}
        {failed && (
          <LoadFault
            what="all that was done"
            error={failed.error}
            retry={() => Promise.all(records.map(({ refetch }) => refetch()))}
          />
        )}
      </Stack>
    </Card>
  );
}
