import { describe, expect, test } from "vitest";

import { endInWords } from "../admin/words";
import { ApiError, retryAfter } from "../api/errors";
import { dayAndTime, heading } from "../components/format";
import { ending } from "./end-reasons";
import { callFailure, connectionFailed } from "./failures";
import { judge, qualityInWords, sampleOf } from "./quality";

describe("a call that cannot start", () => {
  test.each([
    [new ApiError(401, "token_expired", ""), "session-expired", "log-in"],
    [new ApiError(403, "code_used_up", ""), "code-used-up", "enter-code"],
    [new ApiError(403, "code_over_budget", ""), "code-over-budget", "enter-code"],
    [new ApiError(404, "unknown_agent", ""), "agent-unavailable", "choose-agent"],
    [new ApiError(429, "too_many_calls", "", 7), "too-many", "retry"],
    [new ApiError(429, "day_over_budget", "", 7200), "day-over-budget", "retry"],
    [new ApiError(503, "server_busy", "", 12), "busy", "retry"],
    [new ApiError(500, "internal", ""), "connection-failed", "retry"],
    [ApiError.unreachable(), "unreachable", "retry"],
    [new Error("ICE"), "connection-failed", "retry"],
  ])("%s is told as %s", (error, kind, remedy) => {
    const failure = callFailure(error);
    expect(failure.kind).toBe(kind);
    expect(failure.remedies[0]).toBe(remedy);
  });

  test("busy says when to try again, and has an answer when the server does not say", () => {
    expect(callFailure(new ApiError(503, "server_busy", "", 12)).retryAfterS).toBe(12);
    expect(callFailure(new ApiError(503, "server_busy", "")).retryAfterS).toBe(10);
  });

  test("a spent day is told with the moment from which calls are taken again, on the caller's own clock", () => {
    const { advice, retryAfterS } = callFailure(
      new ApiError(429, "day_over_budget", "", 7200),
      new Date(2026, 0, 1, 14, 30),
    );
    expect(advice).toContain(dayAndTime(new Date(2026, 0, 1, 16, 30).toISOString()));
    expect(retryAfterS).toBeUndefined();
  });

  test("a refusal of another kind keeps the server's sentence; a fault of the server does not show its own", () => {
    expect(callFailure(new ApiError(403, "not_a_caller", "Log in with a portal code")).advice).toBe(
      "Log in with a portal code",
    );
    expect(callFailure(new ApiError(422, "invalid_offer", "The offer has no audio")).advice).toBe(
      "The offer has no audio",
    );
    expect(callFailure(new ApiError(500, "internal", "Traceback")).advice).not.toContain("Traceback");
    expect(callFailure(new ApiError(418, "teapot", "")).advice).not.toBe("");
    expect(connectionFailed.advice).not.toBe("");
  });
});

test("Retry-After comes as seconds or as a date, or as nonsense", () => {
  const read = (value: string) => retryAfter(new Headers({ "Retry-After": value }), Date.UTC(2026, 0, 1));
  expect(read("30")).toBe(30);
  expect(read("Thu, 01 Jan 2026 00:00:20 GMT")).toBe(20);
  expect(read("soon")).toBeNull();
  expect(retryAfter(new Headers())).toBeNull();
});

describe("the end of a call", () => {
  test("every reason the server records has words of its own", () => {
    for (const reason of [
      "hung_up",
      "agent_ended",
      "silence",
      "too_long",
      "over_budget",
      "withdrawn",
      "drained",
      "server_stopped",
      "abuse",
      "vanished",
      "stuck",
      "never_connected",
      "failed",
      "failed_to_start",
      "server_lost",
    ]) {
      expect(ending(reason), reason).not.toEqual(ending(null));
      expect(endInWords(reason), reason).not.toBe(heading(reason));
    }
    expect(ending("something_new")).toEqual(ending(null));
  });
});

describe("the line", () => {
  const report = (entries: object[]) =>
    new Map(entries.map((entry, id) => [String(id), entry])) as unknown as RTCStatsReport;

  test("round trip and loss are read from the connection's report", () => {
    const sample = sampleOf(
      report([
        { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
        { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.0412 },
        { type: "inbound-rtp", kind: "audio", packetsReceived: 90, packetsLost: 10 },
        { type: "inbound-rtp", kind: "video", packetsReceived: 5, packetsLost: 5 },
      ]),
    );
    expect(sample).toEqual({ rttMs: 41, packetsReceived: 90, packetsLost: 10 });
  });

  test("it is judged by its worse side, and forgiven afterwards", () => {
    const bad = { rttMs: 40, packetsReceived: 90, packetsLost: 10 };
    expect(judge(null, bad)).toEqual({ grade: "poor", rttMs: 40, lossPercent: 10 });
    expect(judge(bad, { rttMs: 40, packetsReceived: 190, packetsLost: 10 }).grade).toBe("good");
    expect(judge(null, { rttMs: 300, packetsReceived: 100, packetsLost: 0 }).grade).toBe("fair");
    expect(judge(null, { rttMs: null, packetsReceived: 0, packetsLost: 0 })).toEqual({
      grade: "good",
      rttMs: null,
      lossPercent: null,
    });
  });

  test("its figures are said in words", () => {
    expect(qualityInWords({ grade: "good", rttMs: 24, lossPercent: 0 })).toBe(
      "24 ms round trip, 0 % of the sound lost",
    );
    expect(qualityInWords({ grade: "lost", rttMs: null, lossPercent: null })).toBe("No connection");
  });
});
