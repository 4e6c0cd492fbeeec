import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../../testing/server";
import { call, open } from "../testing";
import CallPage from "./CallPage";

const at = (s: number) => new Date(Date.parse(call.connected_at!) + s * 1000).toISOString();
const usage = {
  input_tokens: 0,
  cached_tokens: 0,
  cache_write_tokens: 0,
  output_tokens: 0,
  estimated_answers: 0,
  characters: 0,
  audio_seconds: 0,
};
const detail = {
  ...call,
  rating_comment: "Quick.",
  turns_said: [
    { seq: 0, role: "user", text: "What is my balance?", started_at: at(3), ended_at: at(4), interrupted: false },
    { seq: 1, role: "assistant", text: "Twenty", started_at: at(5), ended_at: at(6), interrupted: true },
    { seq: 2, role: "tool", text: "confirmed: done", started_at: at(6), ended_at: at(6), interrupted: false },
  ],
  answers: [{ seq: 0, at: at(4), greeting: false, total_ms: 900, stages: { llm: 600, tts: 300 }, caller_side: null }],
  events: [{ seq: 0, at: at(4.2), kind: "tool", name: "get_balance", took_ms: 40, outcome: "refused" }],
  usage: [
    { ...usage, kind: "stt", provider: "deepgram", model: "nova-3", audio_seconds: 60, cost_usd: 0.01 },
    {
      ...usage,
      kind: "llm",
      provider: "anthropic",
      model: null,
      input_tokens: 1200,
      cached_tokens: 200,
      output_tokens: 40,
      cost_usd: 0.0023,
    },
  ],
};
const start = (...replies: Parameters<typeof open>[3][string]) =>
  open("/admin/calls/:callId", <CallPage />, "/admin/calls/call_1", { "GET /api/v1/call-logs/call_1": replies });

afterEach(() => vi.unstubAllGlobals());

test("a call is told from the record", async () => {
  start({ body: detail });
  await screen.findByRole("heading", { level: 1, name: "Fair with Bank" });
  expect(screen.getByText("The caller hung up")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Fair" }).getAttribute("href")).toBe("/admin/codes/otp_k3f9");
  const cost = screen.getByRole("table", { name: "Cost by vendor" });
  expect(within(cost).getByText("1:00 of sound")).toBeTruthy();
  expect(within(cost).getByText("1,200 tokens in, 200 of them cached · 40 out")).toBeTruthy();
  expect(screen.getByText("Confirmed, carried out")).toBeTruthy();
  expect(screen.getByText("4 of 5")).toBeTruthy();
  expect(screen.getByText("Quick.")).toBeTruthy();
  expect(within(screen.getByRole("table", { name: "Tools" })).getByText("Refused")).toBeTruthy();
});

test("what is estimated, and what has no known price, is told from what is known", async () => {
  const [stt, llm] = detail.usage;
  const usages = [
    stt,
    { ...llm, cache_write_tokens: 30, estimated_answers: 2 },
    { ...stt, kind: "tts", cost_usd: null },
  ];
  start({ body: { ...detail, usage: usages, unpriced: true, estimated: true } });
  const cost = within(await screen.findByRole("table", { name: "Cost by vendor" }));
  expect(
    cost.getByText(
      "1,200 tokens in, 200 of them cached, 30 put into the cache · 40 out · 2 answers cut off, estimated",
    ),
  ).toBeTruthy();
  const [, ...rows] = cost.getAllByRole("row").map((row) => row.lastElementChild?.textContent);
  expect(rows).toEqual(["$0.0100", "about $0.0023", "price unknown", "at least $0.0123"]);
});

test("what each answer cost stands beside its time, where anything did", async () => {
  const [answer] = detail.answers;
  const answers = [0.0042, null].map((cost_usd, seq) => ({ ...answer, seq, cost_usd }));
  start({ body: { ...detail, answers } });
  const cells = within(await screen.findByRole("table", { name: "Answers" })).getAllByRole("row");
  expect(cells.map((row) => row.lastElementChild?.textContent)).toEqual(["$0.0042", "unknown"]);
});

test("a vendor that took over is told, apart from the tools", async () => {
  const event = { seq: 1, at: at(2), kind: "vendor", took_ms: 0, outcome: "failed" };
  const failed = { ...event, name: "tts: cartesia → offline: quota" };
  const back = { ...event, seq: 2, name: "tts: offline → cartesia", outcome: "ok" };
  start({ body: { ...detail, events: [failed, back] } });
  const took = await screen.findByRole("table", { name: "Vendors that took over" });
  const rows = within(took)
    .getAllByRole("row")
    .map(({ textContent }) => textContent);
  expect(rows.slice(1)).toEqual([
    expect.stringMatching(/Text to speechcartesia → offlineCredit used up$/),
    expect.stringMatching(/Text to speechoffline → cartesiaCame back$/),
  ]);
  expect(screen.queryByRole("table", { name: "Tools" })).toBeNull();
});

test("the timeline is walked with the keyboard, and points into the transcript", async () => {
  start({ body: detail });
  const first = await screen.findByRole("button", { name: /^Caller at 0:03/ });
  expect(first.tabIndex).toBe(0);
  first.focus();
  await userEvent.keyboard("{ArrowRight}");
  expect(document.activeElement?.getAttribute("aria-label")).toBe(
    "Waiting at 0:04, 900\u00a0ms, Language model 600\u00a0ms, Voice 300\u00a0ms",
  );
  await userEvent.keyboard("{End}{Enter}");
  expect(document.activeElement?.getAttribute("aria-pressed")).toBe("true");
  const turn = within(screen.getByRole("group", { name: "What was said" }))
    .getByText("Twenty")
    .closest("li")!;
  expect(turn.hasAttribute("data-chosen")).toBe(true);
  expect(within(turn).getByText("Cut off by the caller")).toBeTruthy();
});

test("timeline and answers can be read as tables", async () => {
  start({ body: detail });
  await userEvent.click(await screen.findByRole("button", { name: "Timeline: show as table" }));
  const pieces = screen.getByRole("table", { name: "Timeline" });
  expect(within(pieces).getAllByRole("row").length).toBe(5);
  await userEvent.click(screen.getByRole("button", { name: "Answers: show as table" }));
  const answers = screen.getByRole("table", { name: "Answers" });
  expect(
    within(answers)
      .getAllByRole("columnheader")
      .map((head) => head.textContent),
  ).toEqual(["At", "Total", "Language model", "Voice"]);
});

test("what the caller’s page measured stands beside the server’s stages", async () => {
  const caller_side = { rtt_ms: 40, jitter_buffer_ms: 61, playout_ms: 100, extra_ms: 120 };
  const [answer] = detail.answers;
  start({
    body: {
      ...detail,
      answers: [
        { ...answer, caller_side },
        { ...answer, seq: 1, at: at(9), caller_side: null },
      ],
    },
  });
  const panel = await screen.findByRole("img", { name: /^2 answers by stage/ });
  expect(panel.textContent).toContain("To the caller’s ear");
  expect(panel.textContent).toContain("900\u00a0ms+ 120\u00a0ms");
  await userEvent.click(screen.getByRole("button", { name: "Answers: show as table" }));
  const rows = within(screen.getByRole("table", { name: "Answers" })).getAllByRole("row");
  const cells = (row: HTMLElement) =>
    within(row)
      .getAllByRole("cell")
      .map((cell) => cell.textContent);
  expect(cells(rows[1]!).slice(-3)).toEqual(["120\u00a0ms", "40\u00a0ms", "61\u00a0ms"]);
  expect(cells(rows[2]!).slice(-3)).toEqual(["–", "–", "–"]);
});

test("a call that is not there is said not to be", async () => {
  start(refusal(404, "not_found"));
  await screen.findByRole("heading", { name: "There is no such call" });
});
