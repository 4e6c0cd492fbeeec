import { vi } from "vitest";

export interface Asked {
  method: string;
  path: string;
  body: unknown;
  /** The idempotency key, where one was sent. */
  key?: string;
}

type Reply = { status?: number; body?: unknown; headers?: Record<string, string> } | "no answer";

/** Stands at the edge of the network: answers `METHOD /path` in order, the last answer again and again. */
export function serve(replies: Record<string, Reply[]>): Asked[] {
  const asked: Asked[] = [];
  const left = new Map(Object.entries(replies).map(([route, list]) => [route, [...list]]));
  vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
    const request = input instanceof Request ? input : new Request(new URL(input, window.location.origin), init);
    const { pathname } = new URL(request.url);
    const text = await request.text();
    const key = request.headers.get("Idempotency-Key");
    asked.push({
      method: request.method,
      path: pathname,
      body: text ? (JSON.parse(text) as unknown) : null,
      ...(key === null ? {} : { key }),
    });
    const list = left.get(`${request.method} ${pathname}`);
    const reply = list && (list.length > 1 ? list.shift() : list[0]);
    if (reply === "no answer") throw new TypeError("Failed to fetch");
    if (!reply) throw new Error(`Nobody answers ${request.method} ${pathname} in this test.`);
    const { status = 200, body = {}, headers = {} } = reply;
    if (status === 204) return new Response(null, { status });
    return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
  });
  return asked;
}

/** The body of a refusal, as the server writes it. */
export function refusal(status: number, error_code: string, detail = ""): { status: number; body: unknown } {
  return { status, body: { detail, error_code, status_code: status, timestamp: "2026-01-01T00:00:00Z" } };
}
