import { ApiError } from "../api/errors";
import { refusalInWords } from "../api/refusals";
import { money } from "../components/format";
import type { Transfer } from "./types";

/** Whom a transfer goes to, as they are called on the pages. */
export function recipient({ payee, bill }: Transfer): string {
  return payee?.name ?? bill?.biller_name ?? "";
}

export interface Outcome {
  title: string;
  /** One sentence on what is so now, or what to do. */
  words: string;
}

/** What has become of a transfer, in words that hold whichever way it was made. */
export function outcome(transfer: Transfer): Outcome {
  const { amount_minor, currency, balance_after_minor, failure } = transfer;
  const sum = `${money(amount_minor, currency)} to ${recipient(transfer)}`;
  switch (transfer.state) {
    case "posted":
      return {
        title: `${transfer.bill ? "Paid" : "Sent"} ${sum}`,
        words: balance_after_minor === null ? "" : `Your new balance is ${money(balance_after_minor, currency)}.`,
      };
    case "declined":
      return { title: `Not sent: ${sum}`, words: "You decided against it. No money has moved." };
    case "expired":
      return { title: `Not sent: ${sum}`, words: "It was not confirmed in time. No money has moved." };
    case "failed":
      return { title: `Not sent: ${sum}`, words: `${failure?.message ?? "It was refused."} No money has moved.` };
    case "challenged":
      return { title: `Waiting for your code: ${sum}`, words: "No money moves until the code is entered." };
    default: // drafted: `confirmed` is never seen outside the transaction that executes it
      return { title: `Waiting for your yes: ${sum}`, words: "No money moves until you confirm." };
  }
}

const STATES: Partial<Record<Transfer["state"], string>> = {
  drafted: "Waiting for your yes",
  challenged: "Waiting for your code",
  posted: "Sent",
  declined: "Not sent: declined",
  expired: "Not sent: not confirmed in time",
  failed: "Not sent",
};

export function stateInWords({ state, bill }: Transfer): string {
  return state === "posted" && bill ? "Paid" : (STATES[state] ?? "");
}

export const MODES: Record<Transfer["mode"], string> = {
  IMPS: "IMPS, at once",
  NEFT: "NEFT, in batches",
  BOOK: "Within the bank, at once",
  BILL: "Bill payment",
};

/** Why an act that moves money was refused; one whose answer did not arrive may have been carried out. */
export function unclearOr(error: unknown): string {
  return isUnclear(error)
    ? "We cannot tell yet whether this went through. Try again: nothing is ever done twice."
    : refusalInWords(error);
}

/** Whether the server may have done what it was asked, although it did not say so. */
export function isUnclear(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500);
}
