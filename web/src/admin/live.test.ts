import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LiveLine, serverSentEvents, type LiveState } from "./live";
import { numbers } from "./testing";

function streamOf(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });
}

async function eventsOf(...chunks: string[]) {
  const events = [];
  for await (const event of serverSentEvents(streamOf(...chunks))) events.push(event);
  return events;
}

const live = (seats_taken: number) => ({ at: "", seats: 8, seats_taken, lag_ms: 1, calls: [], today: numbers });
const event = (seats_taken: number) => `event: live\ndata: ${JSON.stringify(live(seats_taken))}\n\n`;

/** A line to the page that the test holds the other end of. */
class Server {
  connections: ReadableStreamDefaultController<Uint8Array>[] = [];
  replies: (Response | "line" | "no answer")[] = [];

  constructor() {
    vi.stubGlobal("fetch", (_: URL, { signal }: RequestInit) => {
      const reply = this.replies.shift() ?? "line";
      if (reply === "no answer") return Promise.reject(new TypeError("Failed to fetch"));
      if (reply !== "line") return Promise.resolve(reply);
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          this.connections.push(controller);
          signal?.addEventListener("abort", () => controller.error(new DOMException("Aborted", "AbortError")));
        },
      });
      return Promise.resolve(new Response(stream));
    });
  }

  say(text: string): void {
    this.connections.at(-1)!.enqueue(new TextEncoder().encode(text));
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function watch(line: LiveLine): { states: LiveState[]; stop: () => void } {
  const states: LiveState[] = [];
  return { states, stop: line.subscribe(() => states.push(line.snapshot())) };
}

test("events are read however the stream is cut up", async () => {
  const expected = [
    { event: "live", data: "a\nb" },
    { event: "message", data: "c" },
  ];
  const text = ": a comment\r\nevent: live\r\ndata: a\r\ndata:b\r\nid: 7\r\n\r\ndata: c\r\n\r\ndata: never ended";
  expect(await eventsOf(text)).toEqual(expected);
  expect(await eventsOf(...text)).toEqual(expected);
  expect(await eventsOf(text.replaceAll("\r\n", "\n"))).toEqual(expected);
});

test("what goes on is told as it comes", async () => {
  const server = new Server();
  const { states, stop } = watch(new LiveLine());
  await vi.advanceTimersByTimeAsync(0);
  server.say(event(1));
  await vi.advanceTimersByTimeAsync(0);
  server.say(event(2));
  await vi.advanceTimersByTimeAsync(0);
  expect(states.map(({ line, live }) => [line, live?.seats_taken])).toEqual([
    ["live", 1],
    ["live", 2],
  ]);
  stop();
});

test("a line that breaks is made anew, and what was known stays meanwhile", async () => {
  const server = new Server();
  const line = new LiveLine();
  const { stop } = watch(line);
  await vi.advanceTimersByTimeAsync(0);
  server.say(event(1));
  await vi.advanceTimersByTimeAsync(0);
  server.replies.push("no answer");
  server.connections[0]!.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(line.snapshot()).toEqual({ line: "reconnecting", live: live(1) });
  await vi.advanceTimersByTimeAsync(1_000); // no answer
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.connections.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.connections.length).toBe(2);
  server.say(event(3));
  await vi.advanceTimersByTimeAsync(0);
  expect(line.snapshot()).toEqual({ line: "live", live: live(3) });
  stop();
});

test("a line on which nothing comes any more, not even a comment, is given up", async () => {
  const server = new Server();
  const line = new LiveLine();
  const { stop } = watch(line);
  await vi.advanceTimersByTimeAsync(0);
  server.say(event(1));
  await vi.advanceTimersByTimeAsync(30_000);
  server.say(": still here\n\n");
  await vi.advanceTimersByTimeAsync(30_000);
  expect(line.snapshot().line).toBe("live");
  await vi.advanceTimersByTimeAsync(10_001);
  expect(line.snapshot().line).toBe("reconnecting");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.connections.length).toBe(2);
  stop();
});

test("who is logged out is told so", async () => {
  const server = new Server();
  server.replies.push(new Response(JSON.stringify({ detail: "", error_code: "unauthorized" }), { status: 401 }));
  const loggedOut = vi.fn();
  const { stop } = watch(new LiveLine(loggedOut));
  await vi.advanceTimersByTimeAsync(0);
  expect(loggedOut).toHaveBeenCalledTimes(1);
  stop();
});

test("the line is open only while somebody looks", async () => {
  const server = new Server();
  const line = new LiveLine();
  const first = watch(line);
  const second = watch(line);
  await vi.advanceTimersByTimeAsync(0);
  expect(server.connections.length).toBe(1);
  first.stop();
  second.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.connections.length).toBe(1);
  const third = watch(line);
  await vi.advanceTimersByTimeAsync(0);
  expect(server.connections.length).toBe(2);
  third.stop();
});
