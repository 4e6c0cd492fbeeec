import { expect, test } from "vitest";

import { ApiError } from "./errors";
import { refusalInWords, waitInWords } from "./refusals";

test("a refusal keeps the server's sentence; a fault of the server does not show its own", () => {
  expect(refusalInWords(new ApiError(409, "nickname_taken", "You have a payee of that name."))).toBe(
    "You have a payee of that name.",
  );
  expect(refusalInWords(new ApiError(500, "internal", "Traceback"))).toMatch(/on our side/);
  expect(refusalInWords(new ApiError(418, "teapot", ""))).toMatch(/refused/);
  expect(refusalInWords(ApiError.unreachable())).toMatch(/online/);
  expect(refusalInWords(new Error("anything"))).toMatch(/Something went wrong/);
});

test("too many tries say how long to wait", () => {
  expect(refusalInWords(new ApiError(429, "too_many_attempts", "", 45))).toMatch(/Wait 45 seconds/);
  expect(refusalInWords(new ApiError(429, "too_many_attempts", ""))).toMatch(/Wait 60 seconds/);
});

test("a busy server is no fault of anybody's, and says when it may be asked again", () => {
  expect(refusalInWords(new ApiError(503, "busy", "All lines are busy"))).toBe(
    "The server is busy. Try again in a moment.",
  );
  expect(refusalInWords(new ApiError(503, "busy", "", 20))).toBe("The server is busy. Try again in 20 seconds.");
});

test("waits in words", () => {
  expect([0, 1, 12, 89, 90, 125].map(waitInWords)).toEqual([
    "1 second",
    "1 second",
    "12 seconds",
    "89 seconds",
    "2 minutes",
    "3 minutes",
  ]);
});
