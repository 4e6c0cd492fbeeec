/** What a call does with money and asks of its caller, as the server tells the page. Pure: unknown shapes are let pass. */

import { isCurrency, isRecord } from "../api/guards";

/** Something that waits for the caller's yes. */
export interface Draft {
  id: string;
  kind: "transfer" | "bill";
  amount_minor: number;
  currency: string;
  payee: string;
  /** What tells the payee from others: the end of an account number, a consumer number. */
  payee_detail: string;
  account: string;
  expires_at: string;
}

/** A second factor the caller is to type. */
export interface CodeRequest {
  transfer_id: string;
  length: number;
  sent_to: string;
  method: "totp" | "code";
  expires_at: string;
  tries_left: number;
  amount_minor: number | null;
  currency: string;
  payee: string;
}

/** A committed transfer. */
export interface Done {
  id: string;
  amount_minor: number;
  currency: string;
  payee: string;
  account: string;
  balance_after_minor: number | null;
  posted_at: string;
}

/** Whether a yes counts now: the draft is being read out, has been heard, or has to be read out again. */
export type ReadBack = "reading" | "heard" | "due";

/** Something else that was done for good, as the server tells it. */
export type Fact =
  | { kind: "reminder"; text: string; due_at: string }
  | { kind: "request"; id: string; request: "block_card" | "person" | "complaint" };

export interface Acts {
  draft: Draft | null;
  /** Null while there is no draft, or a server that does not tell. */
  readBack: ReadBack | null;
  code: CodeRequest | null;
  /** The newest first. */
  done: readonly Done[];
  /** What was done beside moving money; the newest first. */
  facts: readonly Fact[];
  /** Everything the call set out to do, whatever became of it; the newest first. */
  ids: readonly string[];
}

export const noActs: Acts = { draft: null, readBack: null, code: null, done: [], facts: [], ids: [] };

const READ_BACKS = ["reading", "heard", "due"] as const;
const MAX_KEPT = 50;
const MAX_CODE_LENGTH = 10;

/** The acts after one message of the server. */
export function actsAfter(acts: Acts, message: Record<string, unknown>): Acts {
  switch (message["type"]) {
    case "draft": {
      const draft = parseDraft(message["draft"]);
      return { ...acts, draft, readBack: null, ids: draft ? withId(acts.ids, draft.id) : acts.ids };
    }
    case "read-back": {
      const readBack = READ_BACKS.find((state) => state === message["state"]);
      return acts.draft && readBack ? { ...acts, readBack } : acts;
    }
    case "code-requested": {
      const code = parseCodeRequest(message);
      return code ? { ...acts, code } : acts;
    }
    case "code-closed": {
      const { outcome, tries_left } = message;
      if (outcome === "wrong") {
        return acts.code && isCount(tries_left) ? { ...acts, code: { ...acts.code, tries_left } } : acts;
      }
      return { ...acts, code: null };
    }
    case "done": {
      const done = parseDone(message["transfer"]);
      if (!done) return acts;
      const others = acts.done.filter(({ id }) => id !== done.id);
      return {
        ...acts,
        draft: null,
        readBack: null,
        done: [done, ...others].slice(0, MAX_KEPT),
        ids: withId(acts.ids, done.id),
      };
    }
    case "tool-finished": {
      const facts = factsOf(message["name"], message["card"]);
      return facts.length > 0 ? { ...acts, facts: [...facts, ...acts.facts].slice(0, MAX_KEPT) } : acts;
    }
    default:
      return acts;
  }
}

/** The views an agent may show: the only addresses it can lead to. */
const VIEWS: Record<string, string> = {
  accounts: "/bank/accounts",
  statement: "/bank/statement",
  payees: "/bank/payees",
  transfer: "/bank/transfer",
  bills: "/bank/bills",
  loans: "/bank/loans",
  reminders: "/bank/reminders",
};

/** Where a command of the agent leads, or null if it names no view of ours. `call` is the call page itself. */
export function addressOf(command: string, payload: unknown, callAddress: string): string | null {
  const view = isRecord(payload) ? payload["view"] : null;
  if (command !== "navigate" || typeof view !== "string") return null;
  if (view === "call") return callAddress;
  return Object.hasOwn(VIEWS, view) ? (VIEWS[view] ?? null) : null;
}

/** Words that agree and do nothing else. The server judges by a grammar of its own: this only spares a useless turn. */
export function isPlainYes(text: string): boolean {
  return /^\W*(yes|yeah|yep|yup|ok|okay|sure|go ahead|do it|confirm(ed)?|please do)(\W+(please|go ahead|do it|send it|pay it))*\W*$/i.test(
    text,
  );
}

function withId(ids: readonly string[], id: string): readonly string[] {
  return ids.includes(id) ? ids : [id, ...ids].slice(0, MAX_KEPT);
}

function parseDraft(value: unknown): Draft | null {
  const money = parseMoney(value);
  if (!isRecord(value) || !money) return null;
  return {
    ...money,
    kind: value["kind"] === "bill" ? "bill" : "transfer",
    payee_detail: [textOf(value["payee_detail"]), tailOf(value["payee_tail"])].filter(Boolean).join(" "),
    expires_at: textOf(value["expires_at"]),
  };
}

function parseDone(value: unknown): Done | null {
  const money = parseMoney(value);
  if (!isRecord(value) || !money) return null;
  const { balance_after_minor } = value;
  return {
    ...money,
    balance_after_minor: isAmount(balance_after_minor) ? balance_after_minor : null,
    posted_at: textOf(value["posted_at"]),
  };
}

/** What a tool that has written something shows of it, from the record. */
function factsOf(tool: unknown, card: unknown): Fact[] {
  if (!isRecord(card)) return [];
  const { kind, reminders, id, request } = card;
  if (tool === "add_reminder" && kind === "reminders" && Array.isArray(reminders)) {
    return reminders.flatMap((each) => {
      if (!isRecord(each)) return [];
      const { text, due_at } = each;
      return typeof text === "string" && typeof due_at === "string" ? { kind: "reminder", text, due_at } : [];
    });
  }
  const asked = (["block_card", "person", "complaint"] as const).find((each) => each === request);
  return kind === "request" && asked && typeof id === "string" ? [{ kind: "request", id, request: asked }] : [];
}

function parseMoney(value: unknown) {
  if (!isRecord(value)) return null;
  const { id, amount_minor, currency, payee, account } = value;
  if (typeof id !== "string" || !isAmount(amount_minor) || !isCurrency(currency)) return null;
  return { id, amount_minor, currency, payee: textOf(payee), account: textOf(account) };
}

function parseCodeRequest(value: Record<string, unknown>): CodeRequest | null {
  const { transfer_id, length, sent_to, method, expires_at, tries_left, amount_minor, currency, payee } = value;
  if (!isCount(length) || length < 1 || length > MAX_CODE_LENGTH || !isCount(tries_left)) return null;
  return {
    transfer_id: textOf(transfer_id),
    length,
    sent_to: textOf(sent_to),
    method: method === "totp" ? "totp" : "code",
    expires_at: textOf(expires_at),
    tries_left,
    amount_minor: isAmount(amount_minor) && isCurrency(currency) ? amount_minor : null,
    currency: isCurrency(currency) ? currency : "INR",
    payee: textOf(payee),
  };
}

function tailOf(tail: unknown): string {
  return typeof tail === "string" && tail ? `••••${tail}` : "";
}

function isAmount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
