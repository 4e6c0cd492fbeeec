import { describe, expect, test } from "vitest";

import { ApiError } from "../api/errors";
import { cleanCode, codeRefusal, codeShape } from "./code";

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

test("a refused code says what to do, without telling which kind of bad code it is", () => {
  const refused = (status: number) => codeRefusal(new ApiError(status, "", "Deleted yesterday"));
  expect(refused(401)).toMatch(/ask for a new one/);
  expect(refused(403)).toBe(refused(401));
  expect(refused(422)).toMatch(/as you were given it/);
  expect(codeRefusal(new ApiError(429, "too_many_attempts", "", 45))).toMatch(/Wait 45 seconds/);
});
