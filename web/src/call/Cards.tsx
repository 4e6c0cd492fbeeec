import { Anchor, Card as Surface, Stack, Table, Text, Title } from "@mantine/core";
import { Link } from "react-router";

import { day, money } from "../components/format";
import type { Acts } from "./acts";
import type { BalanceCard, Card, ListCard, TransactionsCard } from "./cards";
import classes from "./Cards.module.css";
import { DoneCard, DraftCard } from "./DraftCard";

/** What the call touches, beside what is said: first what waits for the caller, then what was done. */
export function CallAside({ cards, acts }: { cards: readonly Card[]; acts: Acts }) {
  return (
    <aside className={classes.aside} aria-label="What this call is about" tabIndex={0}>
      <Stack gap="md">
        {acts.draft && <DraftCard key={acts.draft.id} draft={acts.draft} coded={acts.code !== null} />}
        {acts.done.map((done) => (
          <DoneCard key={done.id} done={done} />
        ))}
        <CardList cards={cards} />
      </Stack>
    </aside>
  );
}

export function CardList({ cards }: { cards: readonly Card[] }) {
  return (
    <Stack gap="md">
      {cards.map((card) => (
        <Surface key={`${card.kind} ${card.account}`} withBorder padding="md" radius="lg" className={classes.card}>
          {card.kind === "balance" && <Balance card={card} />}
          {card.kind === "transactions" && <Transactions card={card} />}
          {card.kind === "list" && <Listed card={card} />}
        </Surface>
      ))}
    </Stack>
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
        <Table verticalSpacing={8} horizontalSpacing={0} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>What for</Table.Th>
              <Table.Th ta="right">Amount</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody className="figures">
            {card.lines.map((line, index) => (
              <Table.Tr key={`${line.at} ${index}`}>
                <Table.Td className={classes.description}>
                  {line.description}
                  <Text component="span" display="block" fz="xs" c="dimmed">
                    {day(line.at)}
                  </Text>
                </Table.Td>
                <Table.Td ta="right" className={classes.amount}>
                  {money(line.amount_minor, card.currency, "always")}
                  <Text component="span" display="block" fz="xs" c="dimmed">
                    leaves {money(line.balance_after_minor, card.currency)}
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
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
