import { api, body } from "../api/client";
import type { components } from "../api/schema";

/** What is asked for where a password is not enough. */
export type Challenge = components["schemas"]["ChallengeOut"];

/** Log in; the answer is a challenge, or null if that was all. */
export async function logIn(username: string, password: string): Promise<Challenge | null> {
  const answer = body(await api.POST("/api/v1/auth/login", { body: { username, password } }));
  return answer.otp_required ? answer : null;
}

export const giveSecondFactor = (challenge_id: string, otp: string) =>
  api.POST("/api/v1/auth/token", { body: { challenge_id, otp } });

/** Change one's password; every log-in ends with it, this one too. */
export const changePassword = (current_password: string, new_password: string) =>
  api.PUT("/api/v1/auth/change-password", { body: { current_password, new_password } });

export const logOut = () => api.POST("/api/v1/auth/logout");
