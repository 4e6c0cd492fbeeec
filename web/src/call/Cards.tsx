import { Anchor, Card as Surface, Stack, Text, Title } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useEffect, useRef, type ReactNode } from "react";
import { Link } from "react-router";

import { bankDay } from "../components/bank-time";
import { grouped, money } from "../components/format";
import type { Acts } from "./acts";
import { cardKey, type BalanceCard, type Card, type ListCard, type TransactionsCard } from "./cards";
import classes from "./Cards.module.css";
import { DoneCard, DraftCard } from "./DraftCard";

interface CallAsideProps {
  cards: readonly Card[];
  acts: Acts;
  /** Keys of the cards and ids of what was done, the newest first. */
  touched: readonly string[];
}

/**
 * What the call touches. Beside what is said it grows as that does, the newest below, and nothing on it is pushed away;
 * below what is said there is little room: the newest comes first, and alone where there is hardly any.
 */
export function CallAside({ cards, acts, touched }: CallAsideProps) {
  const beside = useMediaQuery("(min-width: 62em)", false, { getInitialValueInEffect: false });
  const low = useMediaQuery("(max-height: 539.98px)", false, { getInitialValueInEffect: false });
  const aside = useKeptInView();
  const shown = new Map<string, ReactNode>([
    ...acts.done.map((done) => [done.id, <DoneCard key={done.id} done={done} />] as const),
    ...cards.map((card) => [cardKey(card), <CardOf key={cardKey(card)} card={card} />] as const),
  ]);
  const newestFirst = [
    acts.draft && (
      <DraftCard key={acts.draft.id} draft={acts.draft} readBack={acts.readBack} coded={acts.code !== null} />
    ),
    ...touched.map((key) => shown.get(key)),
  ].filter(Boolean);
  const items = beside ? newestFirst.reverse() : low ? newestFirst.slice(0, 1) : newestFirst;
  return (
    <aside ref={aside} className={classes.aside} aria-label="What this call is about" tabIndex={beside ? undefined : 0}>
      <Stack gap="md">{items}</Stack>
    </aside>
  );
}

/** What is higher than the place for it shows its lower end, as do the words beside it. */
function useKeptInView() {
  const aside = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = aside.current;
    const scroller = element?.closest("section");
    if (!element || !scroller) return;
    const watch = new ResizeObserver(() =>
      element.style.setProperty("--spare", `${scroller.clientHeight - element.offsetHeight}px`),
    );
    watch.observe(element);
    watch.observe(scroller);
    return () => watch.disconnect();
  }, []);
  return aside;
}

export function CardList({ cards }: { cards: readonly Card[] }) {
  return (
    <Stack gap="md">
      {cards.map((card) => (
        <CardOf key={cardKey(card)} card={card} />
      ))}
    </Stack>
  );
}

function CardOf({ card }: { card: Card }) {
  return (
    <Surface withBorder padding="md" radius="lg" className={classes.card}>
      {card.kind === "balance" && <Balance card={card} />}
      {card.kind === "transactions" && <Transactions card={card} />}
      {card.kind === "list" && <Listed card={card} />}
    </Surface>
  );
}

function Balance({ card }: { card: BalanceCard }) {
  return (
    <>
      <Title order={2} fz="md" fw={600} className={classes.account}>
        {card.account}
      </Title>
      <Text c="dimmed" fz="sm">
        Balance
      </Text>
      <Text className="figures" fz="1.75rem" fw={650} lh={1.3}>
        {money(card.balance_minor, card.currency)}
      </Text>
    </>
  );
}

function Transactions({ card }: { card: TransactionsCard }) {
  return (
    <>
      <Title order={2} fz="md" fw={600} className={classes.account}>
        {card.account}
      </Title>
      <Text c="dimmed" fz="sm" mb={4}>
        Latest transactions
      </Text>
      {card.lines.length === 0 ? (
        <Text>There are no transactions on this account yet.</Text>
      ) : (
        <ul className={classes.list}>
          {card.lines.map((line, index) => (
            <li key={`${line.at} ${index}`}>
              <span className={classes.description}>
                {grouped(line.description)}
                <Text component="span" display="block" fz="xs" c="dimmed">
                  {bankDay(line.at)}
                </Text>
              </span>
              <span className={classes.amount}>
                {money(line.amount_minor, card.currency, "always")}
                <Text component="span" display="block" fz="xs" c="dimmed">
                  leaves {money(line.balance_after_minor, card.currency)}
                </Text>
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Listed({ card }: { card: ListCard }) {
  return (
    <>
      <Title order={2} fz="md" fw={600} mb={4}>
        {card.title}
      </Title>
      {card.lines.length === 0 ? (
        <Text>There are none.</Text>
      ) : (
        <ul className={classes.list}>
          {card.lines.map((line, index) => (
            <li key={`${line.what} ${index}`}>
              <span className={classes.description}>
                {line.what}
                {line.detail && (
                  <Text component="span" display="block" fz="xs" c="dimmed">
                    {line.detail}
                  </Text>
                )}
              </span>
              {line.amount_minor !== null && (
                <span className={classes.amount}>{money(line.amount_minor, line.currency)}</span>
              )}
            </li>
          ))}
        </ul>
      )}
      <Anchor component={Link} to={`/bank/${PAGES[card.account]}`} py={8}>
        See more
      </Anchor>
    </>
  );
}

const PAGES: Record<ListCard["account"], string> = {
  bills: "bills",
  loans: "loans",
  payees: "payees",
  reminders: "reminders",
  spending: "statement",
};
