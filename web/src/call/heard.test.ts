import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { listen } from "./heard";

/** A connection whose statistics follow a clock: sound begins after `soundAt` milliseconds, at `level`. */
function connection({ soundAt = Infinity, level = 0.2, rtt = 0.04, bufferS = 0.06, before = 30 } = {}) {
  const began = performance.now();
  const hz = 48_000;
  return {
    looks: 0,
    stats(): Promise<RTCStatsReport> {
      this.looks += 1;
      const ms = performance.now() - began;
      const loudS = Math.max(0, ms - soundAt) / 1000;
      const played = before + ms / 1000;
      const inbound = {
        type: "inbound-rtp",
        kind: "audio",
        totalSamplesDuration: played,
        // Silence is not quite silent, and the answer before this one was loud.
        totalAudioEnergy: before * 0.04 + loudS * level ** 2 + (ms / 1000) * 1e-8,
        jitterBufferDelay: before * 0.3 * hz + loudS * hz * bufferS,
        jitterBufferEmittedCount: before * hz + loudS * hz,
      };
      const pair = { type: "candidate-pair", nominated: true, currentRoundTripTime: rtt };
      const other = { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 };
      return Promise.resolve(new Map(Object.entries({ inbound, pair, other })) as unknown as RTCStatsReport);
    },
  };
}

async function passing<Result>(ms: number, result: Promise<Result>): Promise<Result> {
  await vi.advanceTimersByTimeAsync(ms);
  return result;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test.each([20, 75, 130, 480, 1900])("a sound after %i ms is heard then, to within half a look", async (soundAt) => {
  const line = connection({ soundAt });
  const heard = await passing(
    2_100,
    listen(() => line.stats(), new AbortController().signal),
  );
  expect(Math.abs(heard!.playout_ms! - soundAt)).toBeLessThanOrEqual(31);
  expect(heard).toMatchObject({ rtt_ms: 40, jitter_buffer_ms: 60 });
  expect(line.looks).toBeLessThan(40);
});

test("the jitter buffer is that of this speech, not of all before", async () => {
  const line = connection({ soundAt: 100, bufferS: 0.021 });
  const heard = await passing(
    2_100,
    listen(() => line.stats(), new AbortController().signal),
  );
  expect(heard!.jitter_buffer_ms).toBe(21);
});

test("speech that ends early is told of at once", async () => {
  const line = connection({ soundAt: 100 });
  const over = new AbortController();
  const listening = listen(() => line.stats(), over.signal);
  await vi.advanceTimersByTimeAsync(400);
  over.abort();
  const heard = await passing(0, listening);
  expect(heard!.playout_ms).toBeGreaterThan(60);
});

test("what nobody could hear has no playout, and the rest is told", async () => {
  const line = connection({ soundAt: 100, level: 0.0005 });
  const heard = await passing(
    2_100,
    listen(() => line.stats(), new AbortController().signal),
  );
  expect(heard).toEqual({ rtt_ms: 40, jitter_buffer_ms: 60, playout_ms: null });
});

test("a page that could not look in time does not guess", async () => {
  const line = connection({ soundAt: 500 });
  let looks = 0;
  const slow = async () => {
    looks += 1;
    if (looks === 3) await new Promise((resolve) => setTimeout(resolve, 1_000));
    return line.stats();
  };
  const heard = await passing(3_000, listen(slow, new AbortController().signal));
  expect(heard).toMatchObject({ playout_ms: null, rtt_ms: 40 });
});

test("a browser that tells nothing is not answered for", async () => {
  const heard = await passing(
    2_100,
    listen(() => Promise.resolve(new Map() as unknown as RTCStatsReport), new AbortController().signal),
  );
  expect(heard).toBeNull();
});
