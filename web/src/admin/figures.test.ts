import { expect, test } from "vitest";

import { change, minutes, percent, span, usd } from "./figures";

test("dollars are told to the cent, small ones finer", () => {
  expect([0, 0.0421, 0.06, 1.5, 1234.567].map(usd)).toEqual(["$0.00", "$0.0421", "$0.0600", "$1.50", "$1,234.57"]);
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
