import { useSyncExternalStore } from "react";

import { ApiError } from "../api/errors";
import { isRecord } from "../api/guards";
import { useAdmin } from "./AdminContext";
import type { Live } from "./types";

/** The server speaks at least every 15 s; when it has not for so long, the line is dead. */
const SILENCE_MS = 40_000;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const ADDRESS = "/api/v1/live";

export interface LiveState {
  line: "connecting" | "live" | "reconnecting";
  /** What was last told. */
  live: Live | null;
}

/**
 * The stream of what goes on now. It is open while somebody looks, and made anew when it breaks: read by hand rather
 * than by `EventSource`, which gives up for good on a refusal and does not hear the heartbeat of a dead line.
 */
export class LiveLine {
  #state: LiveState = { line: "connecting", live: null };
  readonly #listeners = new Set<() => void>();
  #open: AbortController | null = null;

  /** @param loggedOut Told when the server no longer knows who asks. */
  constructor(private readonly loggedOut: () => void = () => undefined) {}

  snapshot = (): LiveState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (!this.#open) {
      this.#open = new AbortController();
      void this.#keepOpen(this.#open.signal);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#open?.abort();
      this.#open = null;
    };
  };

  async #keepOpen(closed: AbortSignal): Promise<void> {
    for (let failures = 0; !closed.aborted; failures += 1) {
      const heard = await this.#listen(closed);
      if (closed.aborted) return;
      if (heard) failures = 0;
      this.#tell({ ...this.#state, line: "reconnecting" });
      await pause(WAITS_MS[Math.min(failures, WAITS_MS.length - 1)]!, closed);
    }
  }

  /** Follow one connection to its end; whether it told anything. */
  async #listen(closed: AbortSignal): Promise<boolean> {
    const connection = new AbortController();
    const hangUp = () => connection.abort();
    closed.addEventListener("abort", hangUp);
    let watch = setTimeout(hangUp, SILENCE_MS);
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(hangUp, SILENCE_MS);
    };
    let heard = false;
    try {
      const response = await fetch(new URL(ADDRESS, window.location.origin), {
        headers: { Accept: "text/event-stream" },
        signal: connection.signal,
      });
      if (!response.ok || !response.body) {
        if ((await ApiError.from(response)).isLoggedOut) this.loggedOut();
        return false;
      }
      for await (const { event, data } of serverSentEvents(response.body, alive)) {
        const live: unknown = event === "live" ? JSON.parse(data) : null;
        if (!isLive(live)) continue;
        heard = true;
        this.#tell({ line: "live", live });
      }
    } catch {
      // However it broke, it is tried again.
    } finally {
      clearTimeout(watch);
      closed.removeEventListener("abort", hangUp);
    }
    return heard;
  }

  #tell(state: LiveState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** What goes on now, renewed as it changes. */
export function useLive(): LiveState {
  const { live } = useAdmin();
  return useSyncExternalStore(live.subscribe, live.snapshot);
}

export interface ServerSentEvent {
  event: string;
  data: string;
}

/**
 * The events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * @param alive Told whenever anything comes, be it a comment.
 */
export async function* serverSentEvents(
  stream: ReadableStream<Uint8Array>,
  alive: () => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let event = "message";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [, field, text = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
        if (line === "") {
          if (data.length > 0) yield { event, data: data.join("\n") };
          event = "message";
          data = [];
        } else if (field === "event") event = text;
        else if (field === "data") data.push(text);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function isLive(value: unknown): value is Live {
  return isRecord(value) && Array.isArray(value.calls) && typeof value.seats === "number" && isRecord(value.today);
}

function pause(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      closed.removeEventListener("abort", done);
      resolve();
    }
    closed.addEventListener("abort", done);
  });
}
