import { expect, test } from "vitest";

import { relative } from "./moment";

const now = Date.parse("2026-11-20T12:00:00Z");

test.each([
  ["2026-11-20T11:59:40Z", "just now"],
  ["2026-11-20T11:57:00Z", "3 min. ago"],
  ["2026-11-20T07:00:00Z", "5 hr. ago"],
  ["2026-11-20T14:00:00Z", "in 2 hr."],
  ["2026-11-20T12:00:20Z", "in a moment"],
])("%s is %s", (at, words) => {
  expect(relative(at, now)).toBe(words);
});

test("what is more than a day away is told by its day", () => {
  expect(relative("2026-11-17T12:00:00Z", now)).toMatch(/Nov/);
  expect(relative("nonsense", now)).toBe("");
});
