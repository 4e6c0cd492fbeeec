import { describe, expect, test } from "vitest";

import { cleanCode, codeShape } from "./code";

describe("codes", () => {
  const digits = codeShape({ otp_length: 6, otp_format: "digits6" });
  const crockford = codeShape({ otp_length: 8, otp_format: "crockford8" });

  test("have the shape the server says, six digits before it has said anything", () => {
    expect(codeShape(undefined)).toEqual(digits);
    expect(crockford).toMatchObject({ length: 8, inputMode: "text", words: "8-character" });
  });

  test.each([
    ["123456", "123456"],
    [" 123-456\n", "123456"],
    ["1234567890", "123456"],
    ["123", "123"],
    ["code: 123456", ""],
    ["", ""],
  ])("pasted digits %j are read as %j", (pasted, code) => expect(cleanCode(pasted, digits)).toBe(code));

  test.each([
    ["7k3m x9qa", "7K3MX9QA"],
    ["oil1-0000", "01110000"],
    ["7K3M-X9QU", ""],
  ])("pasted letters %j are read as %j", (pasted, code) => expect(cleanCode(pasted, crockford)).toBe(code));
});
