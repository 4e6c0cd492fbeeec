import { Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, Navigate } from "react-router";

import { meQuery } from "../api/queries";
import { CardList } from "../call/Cards";
import { TurnList } from "../call/ConversationView";
import { ending } from "../call/end-reasons";
import { duration } from "../components/format";
import { Page, PageTitle } from "../components/Page";
import { usePortal } from "./PortalContext";
import { usesInWords } from "./uses";

export default function AfterPage() {
  const { me, call } = usePortal();
  const queryClient = useQueryClient();
  useEffect(() => {
    void queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
  }, [queryClient]);

  const state = call?.snapshot();
  if (!call || !state || state.phase !== "ended") return <Navigate to="/agents" replace />;
  const { title, explanation } = ending(state.endReason);
  const length = state.startedAt && state.endedAt ? duration(state.endedAt - state.startedAt) : null;
  const usedUp = me.remaining_uses !== null && me.remaining_uses <= 0;
  return (
    <Page size={760}>
      <PageTitle lead={explanation}>{title}</PageTitle>
      <Group gap="sm">
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
