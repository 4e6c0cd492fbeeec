import { api, body } from "../api/client";
import { ApiError } from "../api/errors";
import type { components } from "../api/schema";
import { waitInWords } from "../call/failures";

/** What is asked for where a password is not enough. */
export type Challenge = components["schemas"]["ChallengeOut"];

/** Log in; the answer is a challenge, or null if that was all. */
export async function logIn(username: string, password: string): Promise<Challenge | null> {
  const answer = body(await api.POST("/api/v1/auth/login", { body: { username, password } }));
  return answer.otp_required ? answer : null;
}

export const giveSecondFactor = (challenge_id: string, otp: string) =>
  api.POST("/api/v1/auth/token", { body: { challenge_id, otp } });

export const logOut = () => api.POST("/api/v1/auth/logout");

/** Why a log-in was refused, and what to do. */
export function refusedLogin(error: unknown): string {
  if (!(error instanceof ApiError)) return "Something went wrong. Please try again.";
  switch (error.status) {
    case 0:
      return "The server cannot be reached. Check that you are online, then try again.";
    case 429:
      return `Too many tries. Wait ${waitInWords(error.retryAfterS ?? 60)}, then try again.`;
    default:
      return error.status < 500 && error.message
        ? error.message
        : "Something went wrong on our side. Try again in a moment.";
  }
}
