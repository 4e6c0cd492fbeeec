import { isCurrency, isRecord } from "../api/guards";
import { bankDay, bankDayAndTime } from "../components/bank-time";
import { heading } from "../components/format";

/** What a call touches, as the server shows it beside the conversation. */
export interface BalanceCard {
  kind: "balance";
  account: string;
  balance_minor: number;
  currency: string;
}

export interface TransactionsCard {
  kind: "transactions";
  account: string;
  currency: string;
  lines: { at: string; description: string; amount_minor: number; balance_after_minor: number }[];
}

/** Anything else that was looked up: lines of words, some with an amount. */
export interface ListCard {
  kind: "list";
  /** What it lists; there is one card of each. */
  account: "bills" | "loans" | "payees" | "reminders" | "spending";
  title: string;
  lines: { what: string; detail: string; amount_minor: number | null; currency: string }[];
}

export type Card = BalanceCard | TransactionsCard | ListCard;

/** A card from a server message, or null for one this page does not know. */
export function parseCard(value: unknown): Card | null {
  if (!isRecord(value)) return null;
  const list = parseList(value);
  if (list) return list;
  if (typeof value["account"] !== "string" || !isCurrency(value["currency"])) return null;
  const { account, currency } = value;
  if (value["kind"] === "balance" && Number.isSafeInteger(value["balance_minor"])) {
    return { kind: "balance", account, currency, balance_minor: value["balance_minor"] as number };
  }
  if (value["kind"] === "transactions" && Array.isArray(value["lines"])) {
    return { kind: "transactions", account, currency, lines: value["lines"].filter(isLine) };
  }
  return null;
}

/** What a card is about: there is one of each. */
export function cardKey({ kind, account }: Card): string {
  return `${kind} ${account}`;
}

/** The newest first; a card about the same thing takes the place of the older one. */
export function withCard(cards: readonly Card[], card: Card): Card[] {
  return [card, ...cards.filter((other) => cardKey(other) !== cardKey(card))];
}

type Item = Record<string, unknown>;
type Line = ListCard["lines"][number];

/** How one line of each kind of list is read; null for one that is not understood. */
const LINES: Record<ListCard["account"], { of: string; title: string; read: (item: Item, all: Item) => Line | null }> =
  {
    bills: {
      of: "bills",
      title: "Bills to pay",
      read: ({ biller_name, due_on, amount_minor, currency }) =>
        typeof biller_name === "string" && typeof due_on === "string"
          ? withAmount({ what: biller_name, detail: `by ${bankDay(due_on)}` }, amount_minor, currency)
          : null,
    },
    loans: {
      of: "loans",
      title: "Loans",
      read: ({ loan, next_due_on, outstanding_minor, currency }) =>
        typeof loan === "string"
          ? withAmount(
              {
                what: `${heading(loan)} loan`,
                detail: typeof next_due_on === "string" ? `next instalment ${bankDay(next_due_on)}` : "",
              },
              outstanding_minor,
              currency,
            )
          : null,
    },
    payees: {
      of: "payees",
      title: "Payees",
      read: ({ nickname, name, tail }) =>
        typeof nickname === "string"
          ? plain(nickname, [name !== nickname && name, isText(tail) && `••••${tail}`].filter(isText).join(" "))
          : null,
    },
    reminders: {
      of: "reminders",
      title: "Reminders",
      read: ({ text, due_at }) =>
        typeof text === "string" && typeof due_at === "string" ? plain(text, bankDayAndTime(due_at)) : null,
    },
    spending: {
      of: "categories",
      title: "Spent",
      read: ({ category, amount_minor }, { currency }) =>
        typeof category === "string"
          ? withAmount({ what: heading(category), detail: "" }, amount_minor, currency)
          : null,
    },
  };

function parseList(value: Item): ListCard | null {
  const account = value["kind"] as ListCard["account"];
  if (typeof account !== "string" || !Object.hasOwn(LINES, account)) return null;
  const { of, title, read } = LINES[account];
  const items = value[of];
  if (!Array.isArray(items)) return null;
  const lines = items.flatMap((item) => (isRecord(item) ? (read(item, value) ?? []) : []));
  const { period, category, total_minor, currency } = value;
  if (account !== "spending") return { kind: "list", account, title, lines };
  // Where one category was asked for, the total is of that one.
  const what = isText(category) ? heading(category) : "In all";
  const total = withAmount({ what, detail: "" }, total_minor, currency);
  const when = typeof period === "string" ? ` ${period}` : "";
  return total && { kind: "list", account, title: title + when, lines: lines.length === 1 ? lines : [total, ...lines] };
}

function withAmount(words: Pick<Line, "what" | "detail">, amount: unknown, currency: unknown): Line | null {
  return Number.isSafeInteger(amount) && isCurrency(currency)
    ? { ...words, amount_minor: amount as number, currency }
    : null;
}

function plain(what: string, detail: string): Line {
  return { what, detail, amount_minor: null, currency: "" };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isLine(line: unknown): line is TransactionsCard["lines"][number] {
  return (
    isRecord(line) &&
    typeof line["at"] === "string" &&
    typeof line["description"] === "string" &&
    Number.isSafeInteger(line["amount_minor"]) &&
    Number.isSafeInteger(line["balance_after_minor"])
  );
}
