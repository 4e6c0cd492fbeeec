import { Button, Card, NativeSelect, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";

import { ApiError } from "../api/errors";
import { refusalInWords } from "../api/refusals";
import { money } from "../components/format";
import { Notice } from "../components/Notice";
import { accountsQuery, draftTransfer, limitsQuery, payeesQuery, transferQuery, transfersQuery } from "./api";
import { BankPage } from "./BankPage";
import { newKey, parseRupees } from "./entry";
import { Listing, Nothing } from "./Listing";
import { TransferList } from "./TransferList";
import type { Account, Limits, NewTransfer, Payee } from "./types";

/** Whom, how much: this makes a draft. What will happen is shown, and agreed to, on the next page. */
export function TransferFormPage() {
  const payees = useQuery(payeesQuery);
  const accounts = useQuery(accountsQuery);
  return (
    <BankPage title="Send money" narrow>
      <Listing query={payees} what="your payees" rows={4} rowHeight={80}>
        {(known) =>
          known.length === 0 ? (
            <Nothing
              title="You have no payees yet"
              action={
                <Button component={Link} to="/bank/payees/new" size="lg">
                  Add a payee
                </Button>
              }
            >
              Money is sent to payees only. Add the person or company first.
            </Nothing>
          ) : (
            <Listing query={accounts} what="your accounts" rows={4} rowHeight={80}>
              {(held) => <TransferForm payees={known} accounts={held} />}
            </Listing>
          )
        }
      </Listing>
      <LatestTransfers />
    </BankPage>
  );
}

function TransferForm({ payees, accounts }: { payees: readonly Payee[]; accounts: readonly Account[] }) {
  const [search] = useSearchParams();
  const usable = accounts.filter(({ status }) => status === "active");
  const [payeeId, setPayeeId] = useState(() => payees.find(({ id }) => id === search.get("to"))?.id ?? "");
  const [amount, setAmount] = useState("");
  const [accountId, setAccountId] = useState(() => (usable.find((each) => each.is_primary) ?? usable[0])?.id ?? "");
  const [mode, setMode] = useState<"IMPS" | "NEFT">("IMPS");
  const [note, setNote] = useState("");
  const [sent, setSent] = useState(false);
  const limits = useQuery(limitsQuery).data;
  const form = useRef<HTMLFormElement>(null);
  const request = useRef({ content: "", key: "" });
  const navigate = useNavigate();
  const queryClient = useQueryClient();

  const payee = payees.find(({ id }) => id === payeeId);
  const account = usable.find(({ id }) => id === accountId);
  const minor = parseRupees(amount);
  const faults = {
    payee: payee ? null : "Choose whom to send money to.",
    amount: amountFault(amount, minor, account, limits),
  };

  const drafting = useMutation({
    mutationFn: (wish: NewTransfer) => {
      // The same wish, sent again because no answer came, is the same draft.
      const content = JSON.stringify(wish);
      if (request.current.content !== content) request.current = { content, key: newKey() };
      return draftTransfer(wish, request.current.key);
    },
    onSuccess: async (draft) => {
      request.current = { content: "", key: "" };
      queryClient.setQueryData(transferQuery(draft.id).queryKey, draft);
      await navigate(`/bank/transfers/${draft.id}`);
    },
  });

  const badNote = drafting.error instanceof ApiError && drafting.error.code === "bad_note";

  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    if (faults.payee) return form.current?.querySelector<HTMLElement>("[name=payee]")?.focus();
    if (faults.amount || minor === null) return form.current?.querySelector<HTMLElement>("[name=amount]")?.focus();
    drafting.mutate({
      beneficiary_id: payeeId,
      amount_minor: minor,
      account_id: accountId || null,
      mode,
      note: note.trim(),
    });
  }

  return (
    <form ref={form} onSubmit={submit} noValidate>
      <Stack gap="md">
        <NativeSelect
          name="payee"
          label="To"
          size="lg"
          value={payeeId}
          onChange={(event) => setPayeeId(event.currentTarget.value)}
          error={sent && faults.payee}
          data={[
            { value: "", label: "Choose a payee", disabled: true },
            ...payees.map(({ id, nickname, name, account_masked }) => ({
              value: id,
              label: nickname === name ? `${name} ${account_masked}` : `${nickname} (${name}) ${account_masked}`,
            })),
          ]}
        />
        <TextInput
          name="amount"
          label="Amount"
          size="lg"
          inputMode="decimal"
          autoComplete="off"
          leftSection={<span aria-hidden>₹</span>}
          description={limits && `You can send ${money(limits.left_today_minor, limits.currency)} more today.`}
          value={amount}
          maxLength={24}
          onChange={(event) => setAmount(event.currentTarget.value)}
          error={sent && faults.amount}
          styles={{ input: { fontVariantNumeric: "tabular-nums", fontWeight: 600 } }}
        />
        {usable.length > 1 && (
          <NativeSelect
            label="From"
            size="lg"
            description={account && `${money(account.available_minor, account.currency)} can be spent.`}
            value={accountId}
            onChange={(event) => setAccountId(event.currentTarget.value)}
            data={usable.map((each) => ({
              value: each.id,
              label: `${each.name} ${each.number_masked}`,
            }))}
          />
        )}
        {payee?.ifsc && (
          <Radio.Group
            label="How"
            size="lg"
            value={mode}
            onChange={(value) => setMode(value === "NEFT" ? "NEFT" : "IMPS")}
          >
            <Stack gap="sm" mt="xs">
              <Radio value="IMPS" size="md" label="IMPS" description="At once" />
              <Radio value="NEFT" size="md" label="NEFT" description="In batches through the day, for larger amounts" />
            </Stack>
          </Radio.Group>
        )}
        <TextInput
          label="Note"
          description="Optional. It is kept with this transfer."
          size="lg"
          maxLength={80}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
          error={badNote && refusalInWords(drafting.error)}
        />
        {payee?.is_new && limits && (
          <Notice>
            {payee.nickname} is new: a code will be asked for, and in the first day at most{" "}
            {money(limits.new_payee_minor, limits.currency)} can be sent to new payees.
          </Notice>
        )}
        {drafting.error && !badNote && <Notice trouble>{refusalInWords(drafting.error)}</Notice>}
        <Button type="submit" size="lg" h={60} loading={drafting.isPending}>
          Continue
        </Button>
        <Text c="dimmed">Nothing is sent yet: on the next page you see what will happen and confirm it.</Text>
      </Stack>
    </form>
  );
}

function amountFault(
  text: string,
  minor: number | null,
  account: Account | undefined,
  limits: Limits | undefined,
): string | null {
  if (!text.trim()) return "Enter an amount in rupees.";
  if (minor === null) return "Enter an amount in rupees, such as 500 or 1,499.50.";
  if (minor === 0) return "The amount must be more than zero.";
  if (account && minor > account.available_minor) {
    return `You have ${money(account.available_minor, account.currency)} on this account.`;
  }
  if (limits && minor > limits.per_transfer_minor) {
    return `At most ${money(limits.per_transfer_minor, limits.currency)} can be sent at once.`;
  }
  return null;
}

function LatestTransfers() {
  const transfers = useQuery(transfersQuery(5));
  if (!transfers.data || transfers.data.length === 0) return null;
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="latest">
      <Stack gap="sm">
        <Title order={2} id="latest">
          Latest transfers
        </Title>
        <TransferList transfers={transfers.data} />
      </Stack>
    </Card>
  );
}
