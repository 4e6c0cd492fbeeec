import { ApiError } from "./errors";
import { session } from "./session";

/**
 * A customer's access lasts minutes and is renewed by a second cookie, which each use replaces. A copy used twice counts
 * as stolen, so that tabs of one browser take turns and a tab asks once for all its requests.
 */
let renewing: Promise<boolean> | null = null;

/** Renew the session; false if it is over. Raises `ApiError` if the server did not answer. */
export function renewSession(): Promise<boolean> {
  if (session.kind === "guest" || session.kind === "admin") return Promise.resolve(false);
  renewing ??= inTurn(renew).finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renew(): Promise<boolean> {
  let response: Response;
  try {
    response = await fetch(new URL("/api/v1/auth/refresh-token", window.location.origin), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
      // Also when the page is left meanwhile: else the browser would keep a cookie that is already used up.
      keepalive: true,
    });
  } catch {
    throw ApiError.unreachable();
  }
  if (response.ok) {
    await response.arrayBuffer(); // What counts has come as cookies.
    return true;
  }
  if (response.status === 429 || response.status >= 500) throw await ApiError.from(response);
  return false;
}

/** Pages that were not served securely have no locks; there a tab has only itself to wait for. */
async function inTurn(work: () => Promise<boolean>): Promise<boolean> {
  const locks = navigator.locks as LockManager | undefined;
  return locks ? await locks.request("parley.renewal", work) : work();
}
