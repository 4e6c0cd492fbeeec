import createClient from "openapi-fetch";

import { ApiError } from "./errors";
import { renewSession } from "./renewal";
import type { paths } from "./schema";

/**
 * The typed client of our own API. Logging in sets an HttpOnly cookie, which same-origin requests carry by themselves:
 * no token is ever within reach of a script. Every method throws `ApiError` unless the server answered with success.
 */
export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });

async function send(request: Request): Promise<Response> {
  const again = request.clone();
  const response = await reach(request);
  if (response.ok) return response;
  const refusal = await ApiError.from(response);
  // Nothing was done for a request that was not let in, so that it may be sent a second time.
  if (refusal.isLoggedOut && !isLogin(again) && (await renewSession())) {
    const second = await reach(again);
    if (second.ok) return second;
    throw await ApiError.from(second);
  }
  throw refusal;
}

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    throw ApiError.unreachable();
  }
}

/** Whether it opens or ends a log-in, so that there is none to renew for it. */
function isLogin(request: Request): boolean {
  return /^\/api\/(v1\/)?auth\/(?!change-password)/.test(new URL(request.url).pathname);
}

/** The body of a successful answer that must have one. */
export function body<Data>(answer: { data?: Data; response: Response }): Data {
  if (answer.data === undefined) throw new ApiError(answer.response.status, "empty_answer", "");
  return answer.data;
}
