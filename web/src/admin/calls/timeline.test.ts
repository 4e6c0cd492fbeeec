import { expect, test } from "vitest";

import { call } from "../testing";
import type { CallDetail } from "../types";
import { layOut, placeInWords, stagesInWords, step, ticks } from "./timeline";

const at = (s: number) => new Date(Date.parse(call.connected_at!) + s * 1000).toISOString();
const turn = { interrupted: false, ended_at: null };

const detail: CallDetail = {
  ...call,
  rating_comment: null,
  usage: [],
  turns_said: [
    { ...turn, seq: 0, role: "assistant", text: "Hello.", started_at: at(0.5), ended_at: at(2) },
    { ...turn, seq: 1, role: "user", text: "What is my balance?", started_at: at(3) },
    { ...turn, seq: 2, role: "tool", text: "Balance", started_at: at(5) },
    { ...turn, seq: 3, role: "assistant", text: "Twenty", started_at: at(6), ended_at: at(7), interrupted: true },
  ],
  answers: [
    {
      seq: 0,
      at: at(5),
      greeting: false,
      total_ms: 900,
      stages: { llm: 500, tts: 300, tool: 100, turn: 0 },
      caller_side: null,
      cost_usd: null,
    },
  ],
  events: [{ seq: 0, at: at(5.2), kind: "tool", name: "get_balance", took_ms: 40, outcome: "refused" }],
};

test("every piece has its place and its lane", () => {
  const { length, pieces } = layOut(detail);
  expect(length).toBe(60_000);
  expect(pieces.map(({ id, lane, from, to, outcome }) => [id, lane, from, to, outcome])).toEqual([
    ["turn-0", "agent", 500, 2000, null],
    ["turn-1", "caller", 3000, 5000, null], // until an answer was waited for
    ["answer-0", "waiting", 5000, 5900, null],
    ["event-0", "tools", 5200, 5240, "refused"],
    ["turn-3", "agent", 6000, 7000, "cut off"],
  ]);
  expect(pieces.map(({ guessed }) => guessed)).toEqual([false, false, false, false, false]);
});

test("a turn whose end is not known does not run into the next one", () => {
  const said = [
    { ...turn, seq: 0, role: "user", text: "x".repeat(300), started_at: at(0) },
    { ...turn, seq: 1, role: "assistant", text: "y", started_at: at(2), ended_at: at(3) },
  ];
  const [first] = layOut({ ...detail, turns_said: said, answers: [], events: [] }).pieces;
  expect(first && [first.to, first.guessed, placeInWords(first)]).toEqual([2000, true, "0:00, about 2\u00a0s"]);
});

test("a call that goes on reaches up to now, and one in which nothing was said has no pieces", () => {
  const now = Date.parse(at(90));
  const open = { ...detail, ended_at: null, state: "open" as const };
  expect(layOut(open, now).length).toBe(90_000);
  expect(layOut({ ...detail, turns_said: [], answers: [], events: [] }).pieces).toEqual([]);
});

test("a piece is told in words", () => {
  const { pieces } = layOut(detail);
  expect(placeInWords(pieces[1]!)).toBe("0:03, 2\u00a0s");
  expect(stagesInWords(detail.answers[0]!.stages)).toBe(
    "Language model 500\u00a0ms, Voice 300\u00a0ms, Tools 100\u00a0ms",
  );
});

test("marks of time have room for their words", () => {
  expect(ticks(60_000, 800)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  expect(ticks(1_800_000, 800).length).toBeLessThan(11);
});

test("keys lead through time, and to the nearest piece of the next lane", () => {
  const { pieces } = layOut(detail);
  const to = (from: number, key: string) => pieces[step(pieces, from, key)]?.id;
  expect(to(0, "ArrowRight")).toBe("turn-1");
  expect(to(4, "ArrowRight")).toBe("turn-3");
  expect(to(1, "Home")).toBe("turn-0");
  expect(to(1, "End")).toBe("turn-3");
  expect(to(1, "ArrowDown")).toBe("turn-0"); // of the agent's, the one that began closer
  expect(to(4, "ArrowDown")).toBe("event-0");
  expect(to(0, "ArrowUp")).toBe("turn-1");
  expect(to(1, "ArrowUp")).toBe("turn-1"); // there is nothing above
  expect(to(1, "a")).toBeUndefined();
});
