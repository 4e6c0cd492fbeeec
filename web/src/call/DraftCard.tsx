import { Card, Text, Title } from "@mantine/core";
import { IconCircleCheck, IconHourglass } from "@tabler/icons-react";
import { Link } from "react-router";

import { duration, money } from "../components/format";
import { useSecondsLeft } from "../components/useSecondsLeft";
import type { Done, Draft, ReadBack } from "./acts";
import classes from "./DraftCard.module.css";

interface DraftCardProps {
  draft: Draft;
  readBack: ReadBack | null;
  coded: boolean;
}

/** What waits for the caller's yes, or after it for their code, as it stands in the bank's books. */
export function DraftCard({ draft, readBack, coded }: DraftCardProps) {
  const left = useSecondsLeft(draft.expires_at);
  const state = `Waiting for your ${coded ? "code" : "yes"}`;
  return (
    <Card withBorder padding="md" radius="lg" className={classes.draft} role="status" aria-label={state}>
      <Title order={2} className={classes.state}>
        <IconHourglass size={20} aria-hidden /> {state}
      </Title>
      <Amount minor={draft.amount_minor} currency={draft.currency} />
      <Text className={classes.payee}>to {draft.payee}</Text>
      {draft.payee_detail && <Text className={`figures ${classes.detail}`}>{draft.payee_detail}</Text>}
      {draft.account && <Text c="dimmed">from {accountInWords(draft.account)}</Text>}
      <Text c="dimmed" mt={4}>
        {coded ? "Type it on the keypad. No money moves before that." : whatToSay(readBack)}
      </Text>
      {left > 0 && !coded && (
        <Text c="dimmed" fz="sm" className="figures" aria-hidden>
          Waits for {duration(left * 1000)}
        </Text>
      )}
    </Card>
  );
}

/** A yes counts once all of it has been heard; so that nobody agrees to what was cut off. */
function whatToSay(readBack: ReadBack | null): string {
  switch (readBack) {
    case "reading":
      return "Please wait until it has been read out. No money moves before your yes.";
    case "due":
      return "Say or type yes to have it read out again first. No money moves before that.";
    default:
      return "Say or type yes or no. No money moves before your yes.";
  }
}

/** A committed transfer, as the server read it back from its books. */
export function DoneCard({ done }: { done: Done }) {
  return (
    <Card withBorder padding="md" radius="lg" className={classes.done} role="status" aria-label="Done">
      <Title order={2} className={classes.state}>
        <IconCircleCheck size={20} aria-hidden /> Done
      </Title>
      <Amount minor={done.amount_minor} currency={done.currency} />
      <Text className={classes.payee}>to {done.payee}</Text>
      {done.balance_after_minor !== null && (
        <Text c="dimmed" className="figures">
          leaves {money(done.balance_after_minor, done.currency)}
          {done.account && ` on ${accountInWords(done.account)}`}
        </Text>
      )}
      <Link to={`/bank/transfers/${encodeURIComponent(done.id)}`} className={classes.link}>
        See it at the bank
      </Link>
    </Card>
  );
}

function Amount({ minor, currency }: { minor: number; currency: string }) {
  return (
    <Text className="figures" fz="2.25rem" fw={650} lh={1.2}>
      {money(minor, currency)}
    </Text>
  );
}

/** "savings" is "your savings account"; a fuller name stays as it is. */
function accountInWords(account: string): string {
  return /^(savings|current)$/.test(account) ? `your ${account} account` : account;
}
