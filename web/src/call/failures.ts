import { ApiError } from "../api/errors";
import { refusalInWords } from "../api/refusals";
import { dayAndTime } from "../components/format";

/** What a person can do about something that went wrong. */
export type Remedy = "retry" | "type-instead" | "choose-agent" | "enter-code" | "log-in" | "call-again";

export interface Failure {
  kind: string;
  title: string;
  /** What happened and what to do, in one or two sentences. */
  advice: string;
  remedies: Remedy[];
  /** Seconds to wait before "retry" may work. */
  retryAfterS?: number;
}

export class CallFailed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.title);
  }
}

export const connectionFailed: Failure = {
  kind: "connection-failed",
  title: "The call could not be connected",
  advice:
    "Your network may be blocking calls. Try again, or try another network: a phone hotspot often works where an office network does not.",
  remedies: ["retry", "choose-agent"],
};

export const connectionLost: Failure = {
  kind: "connection-lost",
  title: "The connection was lost",
  advice: "The line broke and could not be restored. Check your network, then call again.",
  remedies: ["call-again", "choose-agent"],
};

const serverUnreachable: Failure = {
  kind: "unreachable",
  title: "The server cannot be reached",
  advice: "Check that you are online, then try again.",
  remedies: ["retry"],
};

const agentUnavailable: Failure = {
  kind: "agent-unavailable",
  title: "This assistant is not available",
  advice: "It may have been switched off. Choose another one.",
  remedies: ["choose-agent"],
};

const DEFAULT_WAIT_S = 10;
const DAY_S = 24 * 3600;

/** What a refused step towards a call means for the caller. */
export function callFailure(error: unknown, now = new Date()): Failure {
  if (error instanceof CallFailed) return error.failure;
  if (!(error instanceof ApiError)) return connectionFailed;
  switch (error.code) {
    case "code_over_budget":
      return {
        kind: "code-over-budget",
        title: "This code has been used up",
        advice: "The calls made with it have cost as much as they may. Ask for a new one.",
        remedies: ["enter-code"],
      };
    case "call_lost":
      return {
        kind: "call-lost",
        title: "The call was cut off by a fault on our side",
        advice: "We are sorry. Trying again does not use up another call.",
        remedies: ["retry", "choose-agent"],
      };
    case "language_not_offered": // its vendors are gone, which is for the operators to read
      return agentUnavailable;
    case "day_over_budget": {
      const again = new Date(now.getTime() + (error.retryAfterS ?? DAY_S) * 1000);
      return {
        kind: "day-over-budget",
        title: "No more calls are taken today",
        advice: `Today’s calls have cost as much as they may. Call again from ${dayAndTime(again.toISOString(), now)}, when the server’s day begins (midnight UTC).`,
        remedies: ["retry"],
      };
    }
  }
  switch (error.status) {
    case 0:
      return serverUnreachable;
    case 401:
      return {
        kind: "session-expired",
        title: "You have been logged out",
        advice: "Your session has ended. Log in again to go on.",
        remedies: ["log-in"],
      };
    case 403:
      return error.code === "code_used_up"
        ? {
            kind: "code-used-up",
            title: "This code has been used up",
            advice: "Every call your code allowed has been made. Ask for a new one.",
            remedies: ["enter-code"],
          }
        : {
            kind: "not-allowed",
            title: "This call is not allowed",
            advice: error.message || "Enter your code again, or ask for a new one.",
            remedies: ["enter-code", "retry"],
          };
    case 404:
      return agentUnavailable;
    case 429:
      return {
        kind: "too-many",
        title: "Too many calls in a short time",
        advice: "Please wait a moment before you try again.",
        remedies: ["retry"],
        retryAfterS: error.retryAfterS ?? DEFAULT_WAIT_S,
      };
    case 503:
      return {
        kind: "busy",
        title: "All lines are busy",
        advice: "Your place is kept: trying again does not use up another call.",
        remedies: ["retry", "choose-agent"],
        retryAfterS: error.retryAfterS ?? DEFAULT_WAIT_S,
      };
    default:
      return { ...connectionFailed, advice: refusalInWords(error) };
  }
}
