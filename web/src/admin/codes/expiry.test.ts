import { expect, test } from "vitest";

import { expiryFault, expiryOf, momentOf, NEVER } from "./expiry";

const now = Date.parse("2026-11-20T12:00:00Z");

test("an expiry is never, after a while, or at a moment of the reader's own", () => {
  expect(momentOf(NEVER, now)).toBeNull();
  expect(momentOf({ choice: "60", at: "" }, now)).toEqual(new Date("2026-11-20T13:00:00Z"));
  expect(momentOf({ choice: "at", at: "2026-11-30T18:00" }, now)).toEqual(new Date(2026, 10, 30, 18));
});

test("what is past or missing is told", () => {
  expect(expiryFault(NEVER, now)).toBeNull();
  expect(expiryFault({ choice: "at", at: "" }, now)).toMatch(/day and a time/);
  expect(expiryFault({ choice: "at", at: "2026-01-01T00:00" }, now)).toMatch(/still to come/);
  expect(expiryFault({ choice: "60", at: "" }, now)).toBeNull();
});

test("a moment comes back from the field as it went in", () => {
  const at = new Date(2026, 10, 30, 18).toISOString();
  expect(momentOf(expiryOf(at))?.toISOString()).toBe(at);
  expect(expiryOf(null)).toBe(NEVER);
});
