import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../../testing/server";
import { call, open } from "../testing";
import CallPage from "./CallPage";

const at = (s: number) => new Date(Date.parse(call.connected_at!) + s * 1000).toISOString();
const usage = { input_tokens: 0, cached_tokens: 0, output_tokens: 0, characters: 0, audio_seconds: 0 };
const detail = {
  ...call,
  rating_comment: "Quick.",
  turns_said: [
    { seq: 0, role: "user", text: "What is my balance?", started_at: at(3), ended_at: at(4), interrupted: false },
    { seq: 1, role: "assistant", text: "Twenty", started_at: at(5), ended_at: at(6), interrupted: true },
    { seq: 2, role: "tool", text: "confirmed: done", started_at: at(6), ended_at: at(6), interrupted: false },
  ],
  answers: [{ seq: 0, at: at(4), greeting: false, total_ms: 900, stages: { llm: 600, tts: 300 } }],
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

test("a call that is not there is said not to be", async () => {
  start(refusal(404, "not_found"));
  await screen.findByRole("heading", { name: "There is no such call" });
});
