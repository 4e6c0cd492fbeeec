import { describe, expect, test } from "vitest";

import { accountNumberFault, compactCode, ifscFault, nameFault, newKey, parseRupees } from "./entry";

describe("an amount in rupees", () => {
  test.each([
    ["500", 50_000],
    [" 500 ", 50_000],
    ["₹ 1,499.50", 149_950],
    ["Rs. 20", 2_000],
    ["0.5", 50],
    ["0.05", 5],
    ["1,50,000", 15_000_000],
    ["150,000", 15_000_000],
    ["12,34,567.8", 123_456_780],
    ["1000000", 100_000_000],
    ["0", 0],
  ])("%j is %i paise", (text, minor) => expect(parseRupees(text)).toBe(minor));

  test.each([
    "",
    "five",
    "1,5",
    "1.234",
    "1,50",
    "1.5.0",
    "-5",
    "+5",
    "1e3",
    "5,00",
    "500,",
    ".5",
    "１２",
    "9".repeat(20),
  ])("%j is none", (text) => expect(parseRupees(text)).toBeNull());
});

describe("a branch code", () => {
  test("is read as printed", () => expect(compactCode(" hdfc-0001 234 ")).toBe("HDFC0001234"));

  test.each([
    ["HDFC0001234", null],
    ["SBIN0ABC123", null],
    ["", /Enter/],
    ["HDFC000123", /11 characters; this one has 10/],
    ["1DFC0001234", /four letters/],
    ["HDFCO001234", /digit zero/],
    ["HDFC000123$", /letters or digits/],
  ])("%j: %s", (code, fault) => {
    if (fault === null) expect(ifscFault(code)).toBeNull();
    else expect(ifscFault(code)).toMatch(fault);
  });
});

test.each([
  ["123456", true],
  ["12345", false],
  ["1".repeat(18), true],
  ["1".repeat(19), false],
  ["12a456", false],
])("account number %j is fine: %s", (number, fine) => expect(accountNumberFault(number) === null).toBe(fine));

describe("a name", () => {
  test.each(["Ravi", "Anaïs O'Neil-Rao", "M. K. & Sons 2", "रवि कुमार"])("%j is fine", (name) =>
    expect(nameFault(name, 64)).toBeNull(),
  );
  test.each(["", "  ", "<b>", "Ravi\u202e", "Ravi\nKumar", "a@b", "x".repeat(65)])("%j is not", (name) =>
    expect(nameFault(name, 64)).not.toBeNull(),
  );
});

test("keys are visible ASCII and never the same", () => {
  const keys = new Set(Array.from({ length: 100 }, newKey));
  expect(keys.size).toBe(100);
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
});
