import { expect, test } from "vitest";

import type { Traffic } from "../types";
import { bucketLabel, wholeDay } from "./buckets";
import { byBucket } from "./TrafficOverTime";

const bucket = { accesses: 0, calls: 0, connected: 0, failed: 0, refused: 0, minutes: 0, cost_usd: 0, unpriced: false };
const traffic = (agent_type: string, calls: Record<string, number>): Traffic => ({
  agent_type,
  name: agent_type,
  total: 0,
  today: 0,
  live: 0,
  last_access: null,
  cost: { cost_usd: 0, unpriced: false },
  cost_today: { cost_usd: 0, unpriced: false },
  buckets: Object.entries(calls).map(([at, calls]) => ({ ...bucket, at, calls })),
});

test("agents stand side by side in each bucket of the period", () => {
  const rows = byBucket(
    [
      traffic("bank", { "2026-01-01T09:00:00Z": 1, "2026-01-01T10:00:00Z": 2, "2026-01-01T11:00:00Z": 3 }),
      traffic("clinic", { "2026-01-01T11:00:00Z": 5 }),
    ],
    "calls",
    Date.parse("2026-01-01T10:30:00Z"),
    60,
  );
  expect(rows).toEqual([
    { at: "2026-01-01T10:00:00Z", of: { bank: 2 }, unpriced: false },
    { at: "2026-01-01T11:00:00Z", of: { bank: 3, clinic: 5 }, unpriced: false },
  ]);
});

test("a day that is not over keeps its width", () => {
  const from = new Date("2026-01-01T00:00:00Z");
  const rows = wholeDay([{ at: "2026-01-01T00:00:00Z", calls: 1 }], { from, to: from, bucketMinutes: 60 });
  expect(rows.length).toBe(24);
  expect(rows.at(-1)).toEqual({ at: "2026-01-01T23:00:00.000Z" });
  expect(wholeDay([{ at: "2026-01-01T00:00:00Z" }], { from, to: from, bucketMinutes: 1440 }).length).toBe(1);
});

test("nothing is written where there is no time", () => {
  expect([bucketLabel("", 60), bucketLabel("", 1440)]).toEqual(["", ""]);
});
