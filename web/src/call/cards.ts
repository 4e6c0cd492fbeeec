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

export type Card = BalanceCard | TransactionsCard;

/** A card from a server message, or null for one this page does not know. */
export function parseCard(value: unknown): Card | null {
  if (!isRecord(value) || typeof value["account"] !== "string" || !isCurrency(value["currency"])) return null;
  const { account, currency } = value;
  if (value["kind"] === "balance" && Number.isSafeInteger(value["balance_minor"])) {
    return { kind: "balance", account, currency, balance_minor: value["balance_minor"] as number };
  }
  if (value["kind"] === "transactions" && Array.isArray(value["lines"])) {
    return { kind: "transactions", account, currency, lines: value["lines"].filter(isLine) };
  }
  return null;
}

/** The newest first; a card about the same thing takes the place of the older one. */
export function withCard(cards: readonly Card[], card: Card): Card[] {
  return [card, ...cards.filter((other) => other.kind !== card.kind || other.account !== card.account)];
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

function isCurrency(value: unknown): value is string {
  return typeof value === "string" && /^[A-Z]{3}$/.test(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
