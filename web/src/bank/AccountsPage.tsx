import { Anchor, Badge, Button, Card, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { bankDay } from "../components/bank-time";
import { heading, money } from "../components/format";
import { accountNumberQuery, accountsQuery, billsQuery, ledgerQuery } from "./api";
import { BankPage } from "./BankPage";
import { Lines } from "./Lines";
import { Listing, Nothing } from "./Listing";
import { UnreadNotices } from "./Notices";
import type { Account } from "./types";

export function AccountsPage() {
  const accounts = useQuery(accountsQuery);
  return (
    <BankPage
      title="Your accounts"
      news={<UnreadNotices />}
      action={
        <Button component={Link} to="/bank/transfer" size="lg">
          Send money
        </Button>
      }
    >
      <Listing query={accounts} what="your accounts" rows={1} rowHeight={196}>
        {(list) =>
          list.length === 0 ? (
            <Nothing title="You have no account yet">Ask the bank to open one for you.</Nothing>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: Math.min(2, list.length) }} spacing="md">
              {list.map((account) => (
                <AccountCard key={account.id} account={account} />
              ))}
            </SimpleGrid>
          )
        }
      </Listing>
      <DueBills />
      <Latest accounts={accounts.data ?? []} />
    </BankPage>
  );
}

const STATUS = { active: "", frozen: "Frozen: no money can leave it", closed: "Closed" } as const;

function AccountCard({ account }: { account: Account }) {
  const { currency } = account;
  return (
    <Card withBorder padding="lg" radius="lg" component="article" aria-labelledby={account.id} maw={560}>
      <Group justify="space-between" gap="xs">
        <Title order={2} fz="lg" id={account.id}>
          {account.name}
        </Title>
        {account.is_primary && (
          <Badge variant="light" tt="none" size="lg" fw={500} fz="sm">
            Pays by default
          </Badge>
        )}
      </Group>
      <AccountNumber account={account} />
      <Text className="figures" fz="2rem" fw={650} lh={1.3} mt="xs">
        {money(account.balance_minor, currency)}
      </Text>
      {account.held_minor > 0 && (
        <Text c="dimmed" className="figures">
          {money(account.available_minor, currency)} can be spent, {money(account.held_minor, currency)} is held
        </Text>
      )}
      {STATUS[account.status] && <Text fw={600}>{STATUS[account.status]}</Text>}
      <Anchor component={Link} to={`/bank/statement?account=${account.id}`} mt="xs" py={8}>
        See the statement
      </Anchor>
    </Card>
  );
}

/** Masked until it is asked for: whoever pays in needs it, whoever looks over the shoulder does not. */
function AccountNumber({ account }: { account: Account }) {
  const [shown, setShown] = useState(false);
  const number = useQuery({ ...accountNumberQuery(account.id), enabled: shown });
  const whole = number.isError ? "The number could not be loaded." : (number.data ?? account.number_masked);
  const kind = heading(account.kind);
  return (
    <Group gap="sm">
      <Text c="dimmed" className="figures" aria-live="polite">
        {kind} {shown ? whole : account.number_masked}
      </Text>
      <Anchor component="button" type="button" onClick={() => setShown(!shown)} py={8} aria-pressed={shown}>
        {shown ? "Hide number" : "Show number"}
      </Anchor>
    </Group>
  );
}

/** A line that leads to the bills, as long as some are due. */
function DueBills() {
  const bills = useQuery(billsQuery);
  const due = bills.data?.filter(({ state }) => state === "due") ?? [];
  const [first] = due;
  if (!first) return null;
  return (
    <Card withBorder padding="md" px="lg" radius="lg">
      <Group justify="space-between" gap="xs">
        <Text>
          {due.length === 1 ? "One bill is due" : `${due.length} bills are due`}. The next one is {first.biller_name},{" "}
          <span className="figures">{money(first.amount_minor, first.currency)}</span>, by {bankDay(first.due_on)}.
        </Text>
        <Button component={Link} to="/bank/bills" variant="default">
          See your bills
        </Button>
      </Group>
    </Card>
  );
}

function Latest({ accounts }: { accounts: readonly Account[] }) {
  const ledger = useQuery(ledgerQuery({}, 1, 5));
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="latest">
      <Stack gap="sm">
        <Title order={2} id="latest">
          Latest transactions
        </Title>
        <Listing query={ledger} what="your latest transactions" rows={5} rowHeight={48}>
          {({ data }) =>
            data.length === 0 ? (
              <Text c="dimmed">Nothing has happened on your accounts yet.</Text>
            ) : (
              <>
                <Lines lines={data} accounts={accounts} />
                <Anchor component={Link} to="/bank/statement" py={8} style={{ alignSelf: "flex-start" }}>
                  See the whole statement
                </Anchor>
              </>
            )
          }
        </Listing>
      </Stack>
    </Card>
  );
}
