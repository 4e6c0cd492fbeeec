import { expect, test } from "vitest";

import { change, minutes, ofBudget, percent, span, spent, usd } from "./figures";

test("dollars are told to the cent, small ones finer", () => {
  expect([0, 0.0421, 0.06, 1.5, 1234.567].map(usd)).toEqual(["$0.00", "$0.0421", "$0.0600", "$1.50", "$1,234.57"]);
});

test("what was spent is told as surely as it is known", () => {
  const cost = { cost_usd: 1.5, unpriced: false };
  const told = [cost, { ...cost, estimated: true }, { ...cost, unpriced: true, estimated: true }].map(spent);
  expect(told).toEqual(["$1.50", "about $1.50", "at least $1.50"]);
  expect(spent({ cost_usd: 0, unpriced: true })).toBe("price unknown");
  expect(ofBudget(cost, 5)).toBe("$1.50 of $5.00 spent");
  expect(ofBudget({ cost_usd: 0, unpriced: true }, 5)).toBe("at least $0.00 of $5.00 spent");
});

test("times are milliseconds up to a second", () => {
  expect([0, 840.4, 1000, 1246].map(span)).toEqual(["0\u00a0ms", "840\u00a0ms", "1\u00a0s", "1.25\u00a0s"]);
});

test("shares and minutes are rounded to what matters", () => {
  expect([percent(0.9736), minutes(7.26), minutes(1234.5)]).toEqual(["97.4%", "7.3", "1,235"]);
});

test.each([
  [120, 100, "share", { words: "+20%", direction: 1 }],
  [95, 100, "share", { words: "-5%", direction: -1 }],
  [100, 100, "share", { words: "no change", direction: 0 }],
  [5, 0, "share", null],
  [null, 5, "share", null],
  [0.953, 0.943, "points", { words: "+1 point", direction: 1 }],
  [4.5, 4.2, "amount", { words: "+0.3", direction: 1 }],
  [4.51, 4.5, "amount", { words: "no change", direction: 0 }],
] as const)("%s against %s as %s", (now, before, measure, expected) => {
  expect(change(now, before, measure)).toEqual(expected);
});
