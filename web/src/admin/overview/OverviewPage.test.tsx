import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../../testing/server";
import { agents, numbers, open } from "../testing";
import type { Overview } from "../types";
import OverviewPage from "./OverviewPage";

const OVERVIEW = "GET /api/v1/analytics/overview";

const overview: Overview = {
  from: "2026-01-01T00:00:00Z",
  to: "2026-01-01T12:00:00Z",
  bucket_minutes: 60,
  totals: {
    ...numbers,
    calls: 12,
    connected: 11,
    answered_share: 0.9,
    answer_p50_ms: 800,
    answer_p95_ms: 1500,
    turns: 90,
  },
  previous: { ...numbers, calls: 10, answered_share: 0.95, answer_p50_ms: 1000 },
  buckets: [{ ...numbers, at: "2026-01-01T00:00:00Z", turns: 9, answer_p50_ms: 800, answer_p95_ms: 1500 }],
  agents: [{ ...numbers, agent_type: "banking", name: "Bank", calls: 12 }],
  stages: [
    { key: "llm", label: "Thinking", mean_ms: 300 },
    { key: "tts", label: "Finding the voice", mean_ms: 100 },
  ],
  failures: [{ call_id: "call_9", agent_type: "banking", at: "2026-01-01T10:00:00Z", end_reason: "failed" }],
};
const bucket = { accesses: 0, calls: 0, connected: 0, failed: 0, refused: 2, minutes: 0, cost_usd: 0, unpriced: false };
const traffic = [
  {
    agent_type: "banking",
    name: "Bank",
    total: 1,
    today: 1,
    live: 0,
    last_access: null,
    cost: { cost_usd: 0, unpriced: false },
    cost_today: { cost_usd: 0, unpriced: false },
    buckets: [{ ...bucket, at: new Date().toISOString(), calls: 12 }],
  },
];
const live = {
  at: "",
  seats: 8,
  seats_taken: 1,
  lag_ms: 1,
  today: { ...numbers, cost_usd: 3.2, unpriced: true },
  budget_usd: 100,
  calls: [
    {
      id: "call_1",
      agent_type: "banking",
      agent_name: "Bank",
      otp_label: "Fair",
      user_name: null,
      started_at: new Date().toISOString(),
      connected_at: new Date(Date.now() - 65_000).toISOString(),
      turns: 3,
      last_answer_ms: 640,
      last_said_at: null,
    },
  ],
};

let line: ReadableStreamDefaultController<Uint8Array> | undefined;

/** The page with a line to it that the test holds. */
function start(address: string, replies: Parameters<typeof open>[3] = {}) {
  return open(
    "/admin",
    <OverviewPage />,
    address,
    {
      [OVERVIEW]: [{ body: overview }],
      "GET /api/agents/traffic": [{ body: traffic }],
      "GET /api/agents/list": [{ body: agents }],
      ...replies,
    },
    () => new Response(new ReadableStream({ start: (controller) => void (line = controller) })),
  );
}

const say = (text: string) =>
  act(async () => {
    line!.enqueue(new TextEncoder().encode(text));
    await new Promise((resolve) => setTimeout(resolve, 0));
  });

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("each figure stands against those before, also for who does not see the arrow", async () => {
  start("/admin?period=7d");
  const figures = await screen.findByRole("region", { name: "Figures" });
  const calls = (await within(figures).findByText("12")).closest("div")!;
  expect(calls.textContent).toBe("Calls12+20% than in the 7 days beforewas 10");
  expect(within(figures).getByText("Connected").parentElement?.textContent).toMatch(/90%-5 points/);
  expect(within(figures).getByText("Rating").parentElement?.textContent).toMatch(/–/);
});

test("today is held against yesterday by this time", async () => {
  const { urls } = start("/admin");
  await screen.findByText("300 ms");
  const asked = urls.filter(({ pathname }) => pathname.endsWith("/overview")).map(({ searchParams }) => searchParams);
  const [from, before] = asked.map((query) => Date.parse(query.get("from")!));
  expect(from! - before!).toBe(24 * 60 * 60 * 1000);
});

test("sums in which a price is missing are lower bounds", async () => {
  const [bank] = traffic;
  const [quarter] = bank!.buckets;
  start("/admin?period=7d", {
    [OVERVIEW]: [{ body: { ...overview, totals: { ...overview.totals, cost_usd: 1.5, unpriced: true } } }],
    "GET /api/agents/traffic": [{ body: [{ ...bank, buckets: [{ ...quarter, cost_usd: 1.5, unpriced: true }] }] }],
  });
  const figures = await screen.findByRole("region", { name: "Figures" });
  await within(figures).findByText("at least $1.50");
  await userEvent.selectOptions(screen.getByLabelText("What is shown"), "Cost");
  expect(screen.getByText("at least $1.50 cost, last 7 days")).toBeTruthy();
});

test("one call is one call", async () => {
  const [bank] = traffic;
  start("/admin", {
    "GET /api/agents/traffic": [{ body: [{ ...bank, buckets: [{ ...bank!.buckets[0], calls: 1 }] }] }],
  });
  await screen.findByText(/^1 call, /);
});

test("a call appears by itself, and one sees when the line to the server is lost", async () => {
  start("/admin?period=7d");
  await screen.findByText("Asking for the calls that are going on…");
  await say(`event: live\ndata: ${JSON.stringify({ ...live, calls: [] })}\n\n`);
  expect(screen.getByText("Nobody is calling")).toBeTruthy();
  await say(`event: live\ndata: ${JSON.stringify(live)}\n\n`);
  const row = screen.getByRole("link", { name: "Fair" }).closest("tr")!;
  expect(row.textContent).toMatch(/Bank.*\d:\d\d3640/);
  expect(screen.getByText("1 of 8 seats taken · at least $3.20 of $100.00 spent today (UTC)")).toBeTruthy();
  expect(screen.getByRole("status").textContent).toBe("Live");
  act(() => line!.close());
  await screen.findByText("Reconnecting");
  expect(screen.getByRole("link", { name: "Fair" })).toBeTruthy();
});

test("however many calls begin and end, the figures are read again every ten seconds at most, the last time after the last", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true, toFake: ["setTimeout", "clearTimeout"] });
  const { urls } = start("/admin?period=7d");
  const readings = () => urls.filter(({ pathname }) => pathname.endsWith("/traffic")).length;
  const goOn = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
  await screen.findByText("300 ms");
  const [one] = live.calls;
  const begin = async (...ids: string[]) => {
    const calls = ids.map((id) => ({ ...one, id }));
    line!.enqueue(new TextEncoder().encode(`event: live\ndata: ${JSON.stringify({ ...live, calls })}\n\n`));
    await goOn(1_000);
  };
  await begin();
  expect(readings()).toBe(1);
  await begin("call_1");
  expect(readings()).toBe(2);
  await begin("call_1", "call_2");
  await begin("call_2");
  await begin();
  expect(readings()).toBe(2);
  await goOn(10_000);
  expect(readings()).toBe(3);
  await goOn(30_000);
  expect(readings()).toBe(3);
});

test("charts have a sentence and a table", async () => {
  start("/admin?period=7d");
  await screen.findByRole("img", { name: "Calls over time, last 7 days: Bank 12." });
  await userEvent.selectOptions(screen.getByLabelText("What is shown"), "Turned away");
  expect(screen.getByRole("img", { name: "Turned away over time, last 7 days: Bank 2." })).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Answer time: show as table" }));
  const table = screen.getByRole("table", { name: "Answer time" });
  expect(within(table).getAllByRole("row")[1]?.textContent).toMatch(/9800\u00a0ms1.5\u00a0s/);
});

test("what failed leads to its call, and a period is kept in the address", async () => {
  start("/admin");
  const failure = await screen.findByRole("link", { name: "A fault on our side" });
  expect(failure.getAttribute("href")).toBe("/admin/calls/call_9");
  await userEvent.click(screen.getByRole("radio", { name: "30 days" }));
  expect(screen.getByTestId("where").textContent).toBe("/admin?period=30d");
});

test("figures that could not be had are said so once", async () => {
  start("/admin?period=7d", { [OVERVIEW]: [refusal(500, "internal"), { body: overview }] });
  expect((await screen.findAllByRole("alert")).length).toBe(1);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText("300 ms");
});
