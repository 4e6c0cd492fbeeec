import createClient from "openapi-fetch";

import { ApiError } from "./errors";
import type { paths } from "./schema";

/**
 * The typed client of our own API. Logging in sets an HttpOnly cookie, which same-origin requests carry by themselves:
 * no token is ever within reach of a script. Every method throws `ApiError` unless the server answered with success.
 */
export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });

/** POST JSON to a route that is not in the schema (pipecat's own wire). */
export async function postJson<Answer>(path: string, body: unknown): Promise<Answer> {
  const response = await send(
    new Request(new URL(path, window.location.origin), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  return (await response.json()) as Answer;
}

async function send(request: Request): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request);
  } catch {
    throw ApiError.unreachable();
  }
  if (!response.ok) throw await ApiError.from(response);
  return response;
}

/** The body of a successful answer that must have one. */
export function body<Data>(answer: { data?: Data; response: Response }): Data {
  if (answer.data === undefined) throw new ApiError(answer.response.status, "empty_answer", "");
  return answer.data;
}
