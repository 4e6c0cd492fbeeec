import { Button, Card, Group, NativeSelect, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type ReactNode } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { refusalInWords } from "../api/refusals";
import { bankDate, bankDay } from "../components/bank-time";
import { heading, money } from "../components/format";
import { Notice } from "../components/Notice";
import { accountsQuery, billsQuery, payBill, refreshBank, transferQuery } from "./api";
import { BankPage } from "./BankPage";
import classes from "./BillsPage.module.css";
import { newKey } from "./entry";
import { Listing, Nothing } from "./Listing";
import figure from "./TransferPage.module.css";
import type { Bill } from "./types";
import { isUnclear, unclearOr } from "./words";

export function BillsPage() {
  const bills = useQuery(billsQuery);
  return (
    <BankPage title="Bills">
      <Listing query={bills} what="your bills" rowHeight={88}>
        {(list) => <Bills bills={list} />}
      </Listing>
    </BankPage>
  );
}

function Bills({ bills }: { bills: readonly Bill[] }) {
  const due = bills.filter(({ state }) => state === "due");
  const paid = bills.filter(({ state }) => state === "paid");
  const [first] = due;
  const total = due.reduce((sum, { amount_minor }) => sum + amount_minor, 0);
  return (
    <>
      <section aria-labelledby="due">
        <Group justify="space-between" align="baseline" mb="sm" gap="xs">
          <Title order={2} id="due">
            Due
          </Title>
          {first && due.length > 1 && (
            <Text c="dimmed" className="figures">
              {money(total, first.currency)} in all
            </Text>
          )}
        </Group>
        {first ? (
          <ul className={classes.list}>
            {due.map((bill) => (
              <DueBill key={bill.id} bill={bill} />
            ))}
          </ul>
        ) : (
          <Nothing title="Nothing is due">When a bill arrives, you can pay it here or by voice.</Nothing>
        )}
      </section>
      {paid.length > 0 && (
        <section aria-labelledby="paid">
          <Title order={2} id="paid" mb="sm">
            Paid
          </Title>
          <ul className={classes.list}>
            {paid.map((bill) => (
              <PaidBill key={bill.id} bill={bill} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function DueBill({ bill }: { bill: Bill }) {
  const overdue = bill.due_on < bankDate();
  return (
    <Card component="li" withBorder padding="md" radius="lg">
      <div className={classes.bill}>
        <About bill={bill}>
          {overdue ? (
            <Text className={classes.overdue}>
              <IconAlertTriangle size={18} aria-hidden /> Was due by {bankDay(bill.due_on)}
            </Text>
          ) : (
            <Text c="dimmed">Due by {bankDay(bill.due_on)}</Text>
          )}
        </About>
        <Text className={`figures ${classes.amount}`}>{money(bill.amount_minor, bill.currency)}</Text>
        <Button
          component={Link}
          to={`/bank/bills/${bill.id}`}
          h={44}
          className={classes.pay}
          aria-label={`Pay ${bill.biller_name}`}
        >
          Pay
        </Button>
      </div>
    </Card>
  );
}

function PaidBill({ bill }: { bill: Bill }) {
  return (
    <Card component="li" withBorder padding="md" radius="lg">
      <div className={classes.bill}>
        <About bill={bill}>
          <Text c="dimmed">{bill.paid_at ? `Paid on ${bankDay(bill.paid_at)}` : "Paid"}</Text>
        </About>
        <Text className={`figures ${classes.amount}`}>{money(bill.amount_minor, bill.currency)}</Text>
        {bill.paid_by && (
          <Button
            component={Link}
            to={`/bank/transfers/${bill.paid_by}`}
            h={44}
            variant="default"
            className={classes.pay}
            aria-label={`See the payment to ${bill.biller_name}`}
          >
            See
          </Button>
        )}
      </div>
    </Card>
  );
}

function About({ bill, children }: { bill: Bill; children: ReactNode }) {
  return (
    <div className={classes.about}>
      <Title order={3} fz="lg" fw={600}>
        {bill.biller_name}
      </Title>
      <Text c="dimmed" className="figures">
        {heading(bill.category)} {bill.consumer_number_masked}
      </Text>
      {children}
    </div>
  );
}

/** What will happen, in large type; paying from here is the consent. */
export function BillPage() {
  const { billId = "" } = useParams();
  const bills = useQuery(billsQuery);
  return (
    <Listing query={bills} what="this bill" rows={1} rowHeight={360}>
      {(list) => {
        const bill = list.find(({ id }) => id === billId);
        if (bill?.state === "due") return <Payment bill={bill} />;
        return (
          <BankPage title={bill ? "This bill is paid" : "There is no such bill"} narrow>
            <Group gap="sm" className="actions">
              {bill?.paid_by && (
                <Button component={Link} to={`/bank/transfers/${bill.paid_by}`} size="lg">
                  See the payment
                </Button>
              )}
              <Button component={Link} to="/bank/bills" size="lg" variant="default">
                See your bills
              </Button>
            </Group>
          </BankPage>
        );
      }}
    </Listing>
  );
}

function Payment({ bill }: { bill: Bill }) {
  const accounts = useQuery(accountsQuery);
  const usable = accounts.data?.filter(({ status }) => status === "active") ?? [];
  const [chosen, setChosen] = useState("");
  const account = usable.find(({ id }) => id === chosen) ?? usable.find((each) => each.is_primary) ?? usable[0];
  const keys = useRef(new Map<string, string>());
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const sum = money(bill.amount_minor, bill.currency);

  const paying = useMutation({
    mutationFn: (accountId: string) => {
      // Asked again because no answer came, it is the same payment.
      const key = keys.current.get(accountId) ?? newKey();
      keys.current.set(accountId, key);
      return payBill(bill.id, accountId, key);
    },
    onSuccess: async (transfer) => {
      queryClient.setQueryData(transferQuery(transfer.id).queryKey, transfer);
      await navigate(`/bank/transfers/${transfer.id}`, { replace: true });
      void refreshBank(queryClient);
    },
    // What was refused for good may be tried anew.
    onError: (error) => isUnclear(error) || keys.current.clear(),
  });
  const short = account !== undefined && account.available_minor < bill.amount_minor;

  return (
    <BankPage title="Pay this bill?" lead="Check that this is what you want. Nothing has been paid yet." narrow>
      <Card withBorder padding="lg" radius="lg">
        <Text className={`figures ${figure.amount}`}>{sum}</Text>
        <Title order={2} className={figure.payee}>
          to {bill.biller_name}
        </Title>
        <Text c="dimmed" className="figures">
          {heading(bill.category)} {bill.consumer_number_masked}, due by {bankDay(bill.due_on)}
        </Text>
      </Card>
      {accounts.isError ? (
        <Notice trouble>{refusalInWords(accounts.error)}</Notice>
      ) : usable.length > 1 ? (
        <NativeSelect
          label="From"
          size="lg"
          description={account && `${money(account.available_minor, account.currency)} can be spent.`}
          value={account?.id ?? ""}
          onChange={(event) => setChosen(event.currentTarget.value)}
          error={short && "There is not enough money on this account."}
          data={usable.map((each) => ({
            value: each.id,
            label: `${each.name} ${each.number_masked}`,
          }))}
        />
      ) : (
        <Text className="figures" mih="1.55em">
          {account &&
            `From ${account.name.toLowerCase()} ${account.number_masked}, which has ${money(account.available_minor, account.currency)}`}
        </Text>
      )}
      {paying.error && <Notice trouble>{unclearOr(paying.error)}</Notice>}
      <Stack gap="sm">
        <Button
          size="lg"
          h={60}
          loading={paying.isPending}
          disabled={!account}
          onClick={() => account && paying.mutate(account.id)}
        >
          Pay {sum}
        </Button>
        <Button component={Link} to="/bank/bills" size="lg" variant="default">
          Do not pay
        </Button>
      </Stack>
    </BankPage>
  );
}
