import { Button, Card, Group, Stack, Table, Text, Title } from "@mantine/core";
import { IconCircleCheck, IconCircleMinus, IconCircleX } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, useParams } from "react-router";

import { ApiError } from "../api/errors";
import { CodePad } from "../components/CodePad";
import { DemoPhone } from "../components/DemoPhone";
import { bankDayAndTime } from "../components/bank-time";
import { duration, heading, money } from "../components/format";
import { Notice } from "../components/Notice";
import { PageTitle } from "../components/Page";
import { whereIsTheCode } from "../components/second-factor";
import { useSecondsLeft } from "../components/useSecondsLeft";
import { confirmTransfer, declineTransfer, refreshBank, transferQuery, verifyTransfer } from "./api";
import { BankPage } from "./BankPage";
import { Listing } from "./Listing";
import classes from "./TransferPage.module.css";
import type { Challenge, Transfer } from "./types";
import { MODES, outcome, recipient, unclearOr } from "./words";

/** One transfer as it stands: to be agreed to, waiting for its code, or over. Always what the server's record says. */
export function TransferPage() {
  const { transferId = "" } = useParams();
  const transfer = useQuery(transferQuery(transferId));
  if (transfer.error instanceof ApiError && transfer.error.status === 404) {
    return (
      <BankPage title="There is no such transfer" lead="It may belong to another log-in." narrow>
        <Button component={Link} to="/bank/transfer" size="lg">
          Send money
        </Button>
      </BankPage>
    );
  }
  return (
    <Stack gap="lg" maw={560}>
      <Listing query={transfer} what="this transfer" rows={1} rowHeight={360}>
        {(data) => <Standing transfer={data} />}
      </Listing>
    </Stack>
  );
}

function Standing({ transfer }: { transfer: Transfer }) {
  const { state, challenge } = transfer;
  if (state === "drafted") return <Confirmation transfer={transfer} />;
  if (state === "challenged" && challenge) return <Verification transfer={transfer} challenge={challenge} />;
  return <Result transfer={transfer} />;
}

/** Asks the server to do something with a transfer, and shows what its record then says, whatever the answer was. */
function useAct(transfer: Transfer, act: () => Promise<Transfer>) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (after) => queryClient.setQueryData(transferQuery(transfer.id).queryKey, after),
    onSettled: () => refreshBank(queryClient),
  });
}

function Confirmation({ transfer }: { transfer: Transfer }) {
  const confirming = useAct(transfer, () => confirmTransfer(transfer));
  const declining = useAct(transfer, () => declineTransfer(transfer.id));
  const left = useSecondsLeft(transfer.expires_at);
  const queryClient = useQueryClient();
  const error = confirming.error ?? declining.error;
  const sum = money(transfer.amount_minor, transfer.currency);

  useEffect(() => {
    if (left === 0) void queryClient.invalidateQueries({ queryKey: transferQuery(transfer.id).queryKey });
  }, [left, queryClient, transfer.id]);

  return (
    <>
      <PageTitle lead="Check that this is what you want. Nothing has been sent yet.">
        {transfer.bill ? "Pay this bill?" : "Send this money?"}
      </PageTitle>
      <Figure transfer={transfer} />
      {error && <Notice trouble>{unclearOr(error)}</Notice>}
      <Stack gap="sm">
        <Button
          size="lg"
          h={60}
          loading={confirming.isPending}
          disabled={declining.isPending}
          onClick={() => confirming.mutate()}
        >
          {transfer.bill ? `Pay ${sum}` : `Send ${sum}`}
        </Button>
        <Button
          size="lg"
          variant="default"
          loading={declining.isPending}
          disabled={confirming.isPending}
          onClick={() => declining.mutate()}
        >
          {transfer.bill ? "Do not pay" : "Do not send"}
        </Button>
      </Stack>
      <Text c="dimmed" className="figures" mih="1.55em">
        {left > 0 && `Waits for your answer for ${duration(left * 1000)}.`}
      </Text>
    </>
  );
}

function Verification({ transfer, challenge }: { transfer: Transfer; challenge: Challenge }) {
  const declining = useAct(transfer, () => declineTransfer(transfer.id));
  const queryClient = useQueryClient();

  async function submit(code: string): Promise<string | null> {
    try {
      const after = await verifyTransfer(transfer.id, code);
      queryClient.setQueryData(transferQuery(transfer.id).queryKey, after);
      return null;
    } catch (error) {
      if (error instanceof ApiError && error.code === "wrong_code") return "That code is not right.";
      return unclearOr(error);
    } finally {
      await refreshBank(queryClient);
    }
  }

  return (
    <>
      <PageTitle lead={whereIsTheCode(challenge.method, challenge.sent_to)}>Enter the code</PageTitle>
      <Figure transfer={transfer} />
      {challenge.method === "code" && <DemoPhone />}
      <CodePad
        length={challenge.length}
        triesLeft={challenge.tries_left}
        expiresAt={challenge.expires_at}
        submit={submit}
        cancel={() => declining.mutate()}
        cancelWords={transfer.bill ? "do not pay" : "do not send"}
      />
      {declining.error && <Notice trouble>{unclearOr(declining.error)}</Notice>}
    </>
  );
}

function Result({ transfer }: { transfer: Transfer }) {
  const { title, words } = outcome(transfer);
  const moved = transfer.state === "posted";
  const refused = transfer.state === "failed";
  const Icon = moved ? IconCircleCheck : refused ? IconCircleX : IconCircleMinus;
  return (
    <>
      <div className={classes.outcome} role="status">
        <Icon size={44} aria-hidden className={moved ? classes.good : refused ? classes.bad : classes.neutral} />
        <PageTitle lead={words}>{title}</PageTitle>
      </div>
      <Details transfer={transfer} />
      <Group gap="sm" className="actions">
        {moved ? (
          <Button component={Link} to="/bank/statement" size="lg">
            See the statement
          </Button>
        ) : (
          transfer.payee && (
            <Button component={Link} to={`/bank/transfer?to=${transfer.payee.id}`} size="lg">
              Start again
            </Button>
          )
        )}
        <Button component={Link} to={transfer.bill ? "/bank/bills" : "/bank/transfer"} size="lg" variant="default">
          {transfer.bill ? "Back to your bills" : "Another transfer"}
        </Button>
      </Group>
    </>
  );
}

/** Amount and payee in large type, then all that goes with them. */
function Figure({ transfer }: { transfer: Transfer }) {
  return (
    <Card withBorder padding="lg" radius="lg">
      <Text className={`figures ${classes.amount}`}>{money(transfer.amount_minor, transfer.currency)}</Text>
      <Title order={2} className={classes.payee}>
        to {recipient(transfer)}
      </Title>
      <Details transfer={transfer} />
    </Card>
  );
}

function Details({ transfer }: { transfer: Transfer }) {
  const { payee, bill, account, mode, note, state } = transfer;
  const rows: [string, string][] = [
    ...(payee
      ? [["To the account", [payee.account_masked, payee.ifsc].filter(Boolean).join(", ")] as [string, string]]
      : []),
    ...(bill ? [["For", heading(bill.category)] as [string, string]] : []),
    ["From", `${heading(account.kind)} account ${account.number_masked}`],
    ["How", MODES[mode]],
    ...(note ? [["Note", note] as [string, string]] : []),
    ...(state === "posted" && transfer.posted_at
      ? [["When", bankDayAndTime(transfer.posted_at)] as [string, string]]
      : []),
    ...(transfer.posting_id ? [["Reference", transfer.posting_id] as [string, string]] : []),
  ];
  return (
    <Table
      variant="vertical"
      verticalSpacing={6}
      horizontalSpacing={0}
      withRowBorders={false}
      className={classes.details}
    >
      <Table.Tbody className="figures">
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th>{name}</Table.Th>
            <Table.Td>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
