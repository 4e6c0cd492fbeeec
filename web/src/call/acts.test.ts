import { describe, expect, test } from "vitest";

import { actsAfter, addressOf, isPlainYes, noActs, type Acts } from "./acts";

const draft = {
  id: "trf_1",
  kind: "transfer",
  amount_minor: 1_500_000,
  currency: "INR",
  payee: "Ravi Kumar",
  payee_detail: "••••1234",
  account: "savings account",
  expires_at: "2026-01-01T00:02:00Z",
};
const request = {
  type: "code-requested",
  transfer_id: "trf_1",
  length: 6,
  sent_to: "this page",
  method: "code",
  expires_at: "2026-01-01T00:03:00Z",
  tries_left: 3,
  amount_minor: 1_500_000,
  currency: "INR",
  payee: "Ravi Kumar",
};
const transfer = {
  id: "trf_1",
  amount_minor: 1_500_000,
  currency: "INR",
  payee: "Ravi Kumar",
  account: "savings account",
  balance_after_minor: 850_000,
  posted_at: "2026-01-01T00:01:00Z",
};

function tell(...messages: Record<string, unknown>[]): Acts {
  return messages.reduce(actsAfter, noActs);
}

describe("what waits for the caller", () => {
  test("a draft is shown until it is taken back", () => {
    expect(tell({ type: "draft", draft }).draft).toEqual(draft);
    expect(tell({ type: "draft", draft }, { type: "draft", draft: null }).draft).toBeNull();
  });

  test("a payee is told from others by name and the end of the account number", () => {
    const told = { ...draft, payee: "Ravi", payee_detail: "Ravi Kumar", payee_tail: "1234" };
    expect(tell({ type: "draft", draft: told }).draft?.payee_detail).toBe("Ravi Kumar ••••1234");
  });

  test("a new draft takes the place of the one before; both are remembered", () => {
    const acts = tell({ type: "draft", draft }, { type: "draft", draft: { ...draft, id: "trf_2" } });
    expect(acts.draft?.id).toBe("trf_2");
    expect(acts.ids).toEqual(["trf_2", "trf_1"]);
  });

  test.each([
    null,
    "draft",
    {},
    { ...draft, amount_minor: "15000" },
    { ...draft, amount_minor: 0.5 },
    { ...draft, currency: "₹" },
    { ...draft, id: 5 },
  ])("%j is no draft", (value) => expect(tell({ type: "draft", draft: value }).draft).toBeNull());
});

describe("a code", () => {
  test("is asked for with what it is for", () => {
    const { type, ...code } = request;
    expect(type).toBe("code-requested");
    expect(tell(request).code).toEqual(code);
  });

  test("a wrong one leaves fewer tries, everything else closes the keypad", () => {
    expect(tell(request, { type: "code-closed", outcome: "wrong", tries_left: 2 }).code?.tries_left).toBe(2);
    for (const outcome of ["right", "dead", "cancelled", "expired", "something new"]) {
      expect(tell(request, { type: "code-closed", outcome, tries_left: 0 }).code, outcome).toBeNull();
    }
  });

  test.each([{ length: 0 }, { length: 99 }, { length: "6" }, { tries_left: -1 }, { tries_left: null }])(
    "with %j it is not asked for",
    (change) => expect(tell({ ...request, ...change }).code).toBeNull(),
  );

  test("without an amount it is asked for all the same", () => {
    expect(tell({ ...request, amount_minor: null }).code).toMatchObject({ amount_minor: null, length: 6 });
  });
});

describe("what was done", () => {
  test("comes the newest first, once, and takes its draft away", () => {
    const other = { ...transfer, id: "trf_2" };
    const acts = tell(
      { type: "draft", draft },
      { type: "done", transfer },
      { type: "done", transfer: other },
      { type: "done", transfer },
    );
    expect(acts.done.map(({ id }) => id)).toEqual(["trf_1", "trf_2"]);
    expect(acts.draft).toBeNull();
    expect(acts.ids).toEqual(["trf_2", "trf_1"]);
  });

  test("a message that is not understood changes nothing", () => {
    const before = tell({ type: "draft", draft });
    for (const message of [{ type: "done" }, { type: "done", transfer: { id: "x" } }, { type: "news" }, {}]) {
      expect(actsAfter(before, message)).toBe(before);
    }
  });

  test("a call without end does not grow without end", () => {
    const acts = tell(
      ...Array.from({ length: 80 }, (_, n) => ({ type: "done", transfer: { ...transfer, id: `t${n}` } })),
    );
    expect(acts.done).toHaveLength(50);
    expect(acts.done[0]?.id).toBe("t79");
  });
});

describe("where the agent leads", () => {
  const lead = (view: unknown, command = "navigate") => addressOf(command, { view }, "/call/banking");

  test("to the views of the bank, and back to the call", () => {
    expect(lead("bills")).toBe("/bank/bills");
    expect(lead("transfer")).toBe("/bank/transfer");
    expect(lead("call")).toBe("/call/banking");
  });

  test.each(["/bank/bills", "../profile", "https://elsewhere.example", "constructor", "__proto__", "", 5, null])(
    "to no other place: %j",
    (view) => expect(lead(view)).toBeNull(),
  );

  test("by no other command", () => {
    expect(lead("bills", "click")).toBeNull();
    expect(addressOf("navigate", null, "/call/banking")).toBeNull();
  });
});

describe("when a yes counts", () => {
  const readBack = (state: string) => ({ type: "read-back", state });

  test("the page follows the reading, and forgets it with the draft", () => {
    expect(tell({ type: "draft", draft }).readBack).toBeNull();
    expect(tell({ type: "draft", draft }, readBack("reading")).readBack).toBe("reading");
    expect(tell({ type: "draft", draft }, readBack("heard"), readBack("due")).readBack).toBe("due");
    expect(tell({ type: "draft", draft }, readBack("heard"), { type: "draft", draft: null }).readBack).toBeNull();
    expect(tell({ type: "draft", draft }, readBack("heard"), { type: "done", transfer }).readBack).toBeNull();
  });

  test("no reading without a draft, and none of another name", () => {
    expect(tell(readBack("heard"))).toBe(noActs);
    expect(tell({ type: "draft", draft }, readBack("skipped")).readBack).toBeNull();
  });

  test.each(["yes", "Yes.", "yes please", " OK, go ahead! ", "sure", "confirm"])("%j agrees and does no more", (text) =>
    expect(isPlainYes(text)).toBe(true),
  );

  test.each(["", "no", "yes but make it six hundred", "yesterday", "is that okay?", "okra", "what"])(
    "%j does not, or does more",
    (text) => expect(isPlainYes(text)).toBe(false),
  );
});

describe("what else was done", () => {
  const finished = (name: string, card: unknown) => ({ type: "tool-finished", name, card });
  const reminder = { text: "pay the rent", due_at: "2026-12-01T03:30:00Z" };
  const request = { kind: "request", account: "all", id: "req_12ab", request: "block_card" };

  test("is told by the tool that did it, the newest first", () => {
    const acts = tell(
      finished("add_reminder", { kind: "reminders", account: "all", reminders: [reminder] }),
      finished("block_card", request),
    );
    expect(acts.facts).toEqual([
      { kind: "request", id: "req_12ab", request: "block_card" },
      { kind: "reminder", ...reminder },
    ]);
  });

  test("looking something up does nothing", () => {
    expect(tell(finished("list_reminders", { kind: "reminders", account: "all", reminders: [reminder] }))).toBe(noActs);
    expect(tell(finished("get_balance", { kind: "balance" }))).toBe(noActs);
    expect(tell(finished("block_card", { ...request, request: "rob_bank" }))).toBe(noActs);
    expect(tell(finished("add_reminder", { kind: "reminders", reminders: [null, { text: 5 }] }))).toBe(noActs);
    expect(tell(finished("add_reminder", null))).toBe(noActs);
  });
});
