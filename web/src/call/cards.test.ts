import { describe, expect, test } from "vitest";

import { day, duration, money } from "../components/format";
import { parseCard, withCard, type Card, type ListCard } from "./cards";

const balance = { kind: "balance", account: "savings", balance_minor: 1_000_000, currency: "INR" };
const line = { at: "2026-01-01T00:00:00Z", description: "Salary", amount_minor: 1, balance_after_minor: 2 };

describe("cards", () => {
  test("a card of a known kind is taken, with its sound lines only", () => {
    expect(parseCard(balance)).toEqual(balance);
    const transactions = { kind: "transactions", account: "savings", currency: "INR" };
    expect(parseCard({ ...transactions, lines: [line, { ...line, amount_minor: "1" }, null] })).toEqual({
      ...transactions,
      lines: [line],
    });
  });

  test.each([
    null,
    "balance",
    {},
    { ...balance, kind: "spell" },
    { ...balance, balance_minor: 1.5 },
    { ...balance, currency: "rupees" },
  ])("%j is no card", (value) => expect(parseCard(value)).toBeNull());

  test("lists of the bank become lines, with an amount where there is one", () => {
    const bill = { id: "bil_1", biller_name: "Sunrise Power", category: "electricity", amount_minor: 128_000 };
    expect(
      parseCard({
        kind: "bills",
        account: "all",
        bills: [{ ...bill, currency: "INR", due_on: "2026-11-28" }, { ...bill, due_on: 5 }, "bill", null],
      }),
    ).toEqual({
      kind: "list",
      account: "bills",
      title: "Bills to pay",
      lines: [{ what: "Sunrise Power", detail: `by ${day("2026-11-28")}`, amount_minor: 128_000, currency: "INR" }],
    });
    expect(
      parseCard({
        kind: "payees",
        account: "all",
        payees: [
          { nickname: "Ravi", name: "Ravi Kumar", tail: "0003" },
          { nickname: "Mom", name: "Mom", tail: "0004" },
        ],
      }),
    ).toMatchObject({
      lines: [
        { what: "Ravi", detail: "Ravi Kumar ••••0003", amount_minor: null },
        { what: "Mom", detail: "••••0004", amount_minor: null },
      ],
    });
    expect(parseCard({ kind: "loans", account: "all", loans: [] })).toMatchObject({ title: "Loans", lines: [] });
    expect(parseCard({ kind: "reminders", account: "all" })).toBeNull();
    expect(parseCard({ kind: "constructor", account: "all" })).toBeNull();
  });

  test("spending is summed up only where it is of more than one category", () => {
    const groceries = { category: "groceries", amount_minor: 300 };
    const spent = (total_minor: number, category: string | null, ...categories: object[]) => {
      const of = { kind: "spending", account: "all", period: "last month", currency: "INR" };
      const card = parseCard({ ...of, category, total_minor, categories }) as ListCard;
      expect(card.title).toBe("Spent last month");
      return card.lines.map(({ what, amount_minor }) => [what, amount_minor]);
    };
    expect(spent(500, null, groceries, { category: "credit_card", amount_minor: 200 })).toEqual([
      ["In all", 500],
      ["Groceries", 300],
      ["Credit card", 200],
    ]);
    expect(spent(300, "groceries", groceries)).toEqual([["Groceries", 300]]);
    expect(spent(0, "groceries")).toEqual([["Groceries", 0]]);
    expect(spent(0, null)).toEqual([["In all", 0]]);
  });

  test("the newest comes first and replaces the one about the same thing", () => {
    const old = parseCard(balance) as Card;
    const other = parseCard({ ...balance, account: "current" }) as Card;
    const renewed = parseCard({ ...balance, balance_minor: 5 }) as Card;
    expect(withCard(withCard(withCard([], old), other), renewed)).toEqual([renewed, other]);
  });
});

describe("figures", () => {
  test("money has the digits of its currency", () => {
    expect(money(1_000_000, "INR").replaceAll(/[^\d.]/g, "")).toBe("10000.00");
    expect(money(500, "JPY").replaceAll(/[^\d.]/g, "")).toBe("500");
    expect(money(500, "INR", "always")).toContain("+");
    expect(money(0, "INR", "always")).not.toContain("+");
  });

  test("the year is told only when it is another one", () => {
    const now = new Date("2026-06-01T12:00:00Z");
    expect(day("2026-03-05T12:00:00Z", now)).not.toContain("2026");
    expect(day("2025-03-05T12:00:00Z", now)).toContain("2025");
    expect(day("yesterday", now)).toBe("");
  });

  test("durations", () => {
    expect([0, 7_900, 187_000, 3_787_000].map(duration)).toEqual(["0:00", "0:07", "3:07", "1:03:07"]);
  });
});
