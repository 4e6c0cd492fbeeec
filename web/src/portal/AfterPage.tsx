import { Button, Card, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { Link, Navigate } from "react-router";

import { agentsQuery, meQuery } from "../api/queries";
import { isOver, outcomesQuery, refreshBank } from "../bank/api";
import { outcome } from "../bank/words";
import type { Acts, Fact } from "../call/acts";
import { CardList } from "../call/Cards";
import { TurnList } from "../call/ConversationView";
import { ending } from "../call/end-reasons";
import { BANK } from "../call/live-call";
import { bankDayAndTime } from "../components/bank-time";
import { duration } from "../components/format";
import { LoadFault } from "../components/LoadFault";
import { Page, PageTitle } from "../components/Page";
import { AnotherCode } from "./AnotherCode";
import classes from "./AfterPage.module.css";
import { usePortal } from "./PortalContext";
import { RatingCard } from "./RatingCard";
import { usesInWords } from "./uses";

export default function AfterPage() {
  const { me, call } = usePortal();
  const agents = useQuery(agentsQuery);
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
        {usedUp ? (
          <AnotherCode />
        ) : (
          <>
            <Button component={Link} to={`/agents/${encodeURIComponent(call.agent.id)}/ready`} size="lg">
              Call again
            </Button>
            {agents.data?.length !== 1 && (
              <Button component={Link} to="/agents" size="lg" variant="default">
                Choose another assistant
              </Button>
            )}
          </>
        )}
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
      {call.agent.id === BANK && <WhatWasDone acts={state.acts} />}
      {call.id && state.startedAt && <RatingCard callId={call.id} />}
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
      {state.cards.length > 0 && (
        <section aria-labelledby="looked-up">
          <Title order={2} id="looked-up" mb="md">
            What was looked up
          </Title>
          <CardList cards={state.cards} />
        </section>
      )}
    </Page>
  );
}

/** From the bank's books, not from what was said; and only what was done, not what was dropped on the way. */
function WhatWasDone({ acts: { ids, facts } }: { acts: Acts }) {
  const outcomes = useQuery({ ...outcomesQuery(ids), enabled: ids.length > 0 });
  const posted = outcomes.data?.filter(({ state }) => state === "posted") ?? [];
  const waiting = ids.length > 0 && !outcomes.isError && !outcomes.data?.every(isOver);
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="done">
      <Stack gap="sm">
        <Title order={2} id="done">
          What was done
        </Title>
        {posted.length + facts.length > 0 && (
          <ul className={classes.done}>
            {posted.map((transfer) => (
              <Done
                key={transfer.id}
                what={outcome(transfer).title}
                detail={[bankDayAndTime(transfer.posted_at ?? transfer.created_at), outcome(transfer).words]
                  .filter(Boolean)
                  .join(". ")}
                to={`/bank/transfers/${transfer.id}`}
                see="See it at the bank"
              />
            ))}
            {facts.map((fact) => (
              <Done key={fact.kind === "request" ? fact.id : `${fact.due_at} ${fact.text}`} {...factInWords(fact)} />
            ))}
          </ul>
        )}
        {posted.length === 0 && !waiting && !outcomes.isError && (
          <Text c="dimmed">
            {facts.length > 0 ? "No money was moved." : "Nothing: no money was moved, and nothing was changed."}
          </Text>
        )}
        {waiting && <Skeleton height={72} radius="md" />}
        {outcomes.isError && <LoadFault what="all that was done" error={outcomes.error} retry={outcomes.refetch} />}
      </Stack>
    </Card>
  );
}

interface DoneProps {
  what: ReactNode;
  detail: string;
  to?: string;
  see?: string;
}

function Done({ what, detail, to, see }: DoneProps) {
  return (
    <li>
      <IconCircleCheck size={22} aria-hidden className={classes.check} />
      <div>
        <Text fw={600} className="figures">
          {what}
        </Text>
        <Text c="dimmed" className="figures">
          {detail}
        </Text>
        {to && (
          <Link to={to} className={classes.link}>
            {see}
          </Link>
        )}
      </div>
    </li>
  );
}

const REQUESTS: Record<Extract<Fact, { kind: "request" }>["request"], string> = {
  block_card: "Asked the bank’s people to block your card",
  person: "Asked the bank’s people to call you back",
  complaint: "Told the bank’s people that you want to complain",
};

function factInWords(fact: Fact): DoneProps {
  return fact.kind === "reminder"
    ? {
        what: `Reminder set: ${fact.text}`,
        detail: bankDayAndTime(fact.due_at),
        to: "/bank/reminders",
        see: "See your reminders",
      }
    : {
        what: REQUESTS[fact.request],
        detail: `The request ends in ${fact.id.slice(-4)}. Somebody will call you back.`,
      };
}
