import { Button, Card, Group, NativeSelect, Pill, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";

import { bankDate } from "../components/bank-time";
import { counted, heading } from "../components/format";
import { accountsQuery, ledgerQuery, type Filter } from "./api";
import { BankPage } from "./BankPage";
import { Lines } from "./Lines";
import { Listing, Nothing } from "./Listing";
import { Pages } from "./Pages";
import { PERIOD_WORDS, PERIODS, spanOf, type Period, type Span } from "./period";
import { SpendingCard } from "./SpendingCard";
import classes from "./StatementPage.module.css";

const PER_PAGE = 20;
const DIRECTIONS = { "": "In and out", in: "Money in", out: "Money out" } as const;

/** Everything that is chosen here stands in the address: it can be gone back to, kept, and sent to oneself. */
export function StatementPage() {
  const [search, setSearch] = useSearchParams();
  const accounts = useQuery(accountsQuery);
  const choice = readChoice(search);
  const { page } = choice;
  const ledger = useQuery(ledgerQuery(filterOf(choice), page, PER_PAGE));

  /** A change of what is looked at begins at the first page. */
  function choose(changed: Record<string, string>) {
    const next = new URLSearchParams(search);
    for (const [name, value] of Object.entries({ page: "", ...changed })) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    setSearch(next, { replace: true });
  }

  const span = choice.period === "dates" ? choice.dates : spanOf(choice.period);
  const filtered = choice.account || choice.direction || choice.category || choice.text || choice.period !== "all";
  return (
    <BankPage title="Statement">
      <Filters choice={choice} choose={choose} accounts={accounts.data ?? []} />
      <SpendingCard span={span} category={choice.category} choose={(category) => choose({ category })} />
      <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="transactions">
        <Stack gap="sm">
          <Group justify="space-between" gap="xs">
            <Title order={2} id="transactions">
              Transactions
            </Title>
            <Text c="dimmed" role="status" className="figures">
              {ledger.data && counted(ledger.data.pagination.total, "transaction")}
            </Text>
          </Group>
          {choice.category && (
            <div>
              <Pill
                size="lg"
                withRemoveButton
                onRemove={() => choose({ category: "" })}
                removeButtonProps={{ "aria-label": "Show every category", "aria-hidden": false, tabIndex: 0 }}
                className={classes.pill}
              >
                Only {heading(choice.category).toLowerCase()}
              </Pill>
            </div>
          )}
          <Listing query={ledger} what="your transactions" rows={8} rowHeight={48}>
            {({ data, pagination }) =>
              data.length === 0 ? (
                <Nothing
                  title="No transactions here"
                  action={
                    filtered && (
                      <Button variant="default" onClick={() => setSearch({}, { replace: true })}>
                        Show everything
                      </Button>
                    )
                  }
                >
                  {filtered
                    ? "Nothing fits what you have chosen. Choose another time or fewer conditions."
                    : "Nothing has happened on your accounts yet."}
                </Nothing>
              ) : (
                <div aria-busy={ledger.isPlaceholderData}>
                  <Lines lines={data} accounts={accounts.data ?? []} />
                  <Pages
                    total={pagination.pages}
                    page={page}
                    open={(next) => choose({ page: next > 1 ? String(next) : "" })}
                  />
                </div>
              )
            }
          </Listing>
        </Stack>
      </Card>
    </BankPage>
  );
}

interface Choice {
  account: string;
  period: Period;
  dates: Span;
  direction: keyof typeof DIRECTIONS;
  category: string;
  text: string;
  page: number;
}

function readChoice(search: URLSearchParams): Choice {
  const period = PERIODS.find((name) => name === search.get("period")) ?? "all";
  const direction = search.get("direction");
  const dateOf = (name: string) => {
    const date = search.get(name) ?? "";
    return /^\d{4}-\d\d-\d\d$/.test(date) ? { [name]: date } : {};
  };
  return {
    account: search.get("account") ?? "",
    period,
    dates: { ...dateOf("since"), ...dateOf("until") },
    direction: direction === "in" || direction === "out" ? direction : "",
    category: search.get("category") ?? "",
    text: search.get("text") ?? "",
    page: Math.max(1, Number(search.get("page")) || 1),
  };
}

function filterOf({ account, period, dates, direction, category, text }: Choice): Filter {
  return {
    ...(period === "dates" ? dates : spanOf(period)),
    ...(account && { account_id: account }),
    ...(direction && { direction }),
    ...(category && { category }),
    ...(text && { text }),
  };
}

interface FiltersProps {
  choice: Choice;
  choose: (changed: Record<string, string>) => void;
  accounts: readonly { id: string; name: string; number_masked: string }[];
}

function Filters({ choice, choose, accounts }: FiltersProps) {
  const [text, setText] = useState(choice.text);
  const search = useDebouncedCallback((value: string) => choose({ text: value.trim() }), 400);
  const today = bankDate();
  return (
    <search className={classes.filters} aria-label="What to show">
      {accounts.length > 1 && (
        <NativeSelect
          label="Account"
          size="md"
          value={choice.account}
          onChange={(event) => choose({ account: event.currentTarget.value })}
          data={[
            { value: "", label: "All accounts" },
            ...accounts.map(({ id, name, number_masked }) => ({ value: id, label: `${name} ${number_masked}` })),
          ]}
        />
      )}
      <NativeSelect
        label="Time"
        size="md"
        value={choice.period}
        onChange={(event) =>
          choose({ period: event.currentTarget.value === "all" ? "" : event.currentTarget.value, since: "", until: "" })
        }
        data={PERIODS.map((value) => ({ value, label: PERIOD_WORDS[value] }))}
      />
      {choice.period === "dates" && (
        <>
          <TextInput
            type="date"
            label="From"
            size="md"
            value={choice.dates.since ?? ""}
            max={choice.dates.until ?? today}
            onChange={(event) => choose({ since: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            label="To"
            size="md"
            value={choice.dates.until ?? ""}
            min={choice.dates.since ?? ""}
            max={today}
            onChange={(event) => choose({ until: event.currentTarget.value })}
          />
        </>
      )}
      <NativeSelect
        label="Direction"
        size="md"
        value={choice.direction}
        onChange={(event) => choose({ direction: event.currentTarget.value })}
        data={Object.entries(DIRECTIONS).map(([value, label]) => ({ value, label }))}
      />
      <TextInput
        label="Search"
        type="search"
        size="md"
        maxLength={100}
        value={text}
        placeholder="Such as rent"
        onChange={(event) => {
          setText(event.currentTarget.value);
          search(event.currentTarget.value);
        }}
      />
    </search>
  );
}
