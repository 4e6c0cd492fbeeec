import { ApiError } from "./errors";

const DEFAULT_WAIT_S = 60;

/** Why the server did not do as it was asked, and what to do about it: for the one who asked. */
export function refusalInWords(error: unknown): string {
  if (!(error instanceof ApiError)) return "Something went wrong. Please try again.";
  if (error.status === 0) return "The server cannot be reached. Check that you are online, then try again.";
  if (error.status === 429) {
    return `Too many tries in a short time. Wait ${waitInWords(error.retryAfterS ?? DEFAULT_WAIT_S)}, then try again.`;
  }
  if (error.status === 503) {
    const wait = error.retryAfterS === null ? "a moment" : waitInWords(error.retryAfterS);
    return `The server is busy. Try again in ${wait}.`;
  }
  if (error.status >= 500) return "Something went wrong on our side. Try again in a moment.";
  return error.message || "That was refused. Check what you entered, then try again.";
}

/** "20 seconds", "2 minutes". */
export function waitInWords(seconds: number): string {
  const [count, unit] =
    seconds < 90 ? [Math.max(1, Math.round(seconds)), "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
