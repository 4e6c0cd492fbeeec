import { RTVIEvent } from "@pipecat-ai/client-js";
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import type { Me } from "../api/queries";
import { LiveCall } from "../call/live-call";
import { Microphone } from "../call/microphone";
import { drafted, posted } from "../testing/bank";
import { open } from "../testing/open";
import { refusal, serve } from "../testing/server";
import AfterPage from "./AfterPage";
import { PortalContext } from "./PortalContext";

const agent = {
  id: "banking",
  name: "Bank",
  description: "",
  can_do: [],
  try_saying: [],
  available: true,
  language: "en",
  out_of_order: false,
  providers: {},
};
const me = { role: "otp", remaining_uses: 2 } as Me;
const draft = { kind: "transfer", amount_minor: 1_500_000, currency: "INR", payee: "Ravi" };

/** The page after a call in which the server has said all this. */
const after = (...messages: object[]) => afterCallOf(me, ...messages);

async function afterCallOf(me: Me, ...messages: object[]) {
  const leave = vi.fn(() => Promise.resolve());
  const microphone = new Microphone();
  const call = new LiveCall(agent, microphone, false);
  for (const message of messages) call.client.emit(RTVIEvent.ServerMessage, message);
  await call.end("hung_up");
  open(
    "/after",
    <PortalContext value={{ me, microphone, call, setCall: () => undefined, leave }}>
      <AfterPage />
    </PortalContext>,
  );
  return leave;
}

const done = () => within(screen.getByRole("region", { name: "What was done" }));

afterEach(() => vi.unstubAllGlobals());

test("only what was done is listed, as the bank has it on record", async () => {
  serve({
    "GET /api/v1/transfers/trf_1": [{ body: posted }],
    "GET /api/v1/transfers/trf_2": [{ body: { ...drafted, id: "trf_2", state: "declined", amount_minor: 70_000 } }],
  });
  await after({ type: "draft", draft: { ...draft, id: "trf_2" } }, { type: "draft", draft: { ...draft, id: "trf_1" } });
  await done().findByText(/Sent ₹15,000.00 to Ravi Kumar/);
  expect(done().getAllByRole("listitem")).toHaveLength(1);
  expect(done().queryByText(/700/)).toBeNull();
});

test("what was dropped is not done", async () => {
  serve({ "GET /api/v1/transfers/trf_1": [{ body: { ...drafted, state: "expired" } }] });
  await after({ type: "draft", draft: { ...draft, id: "trf_1" } });
  await done().findByText(/no money was moved, and nothing was changed/);
  expect(done().queryByRole("listitem")).toBeNull();
});

test("what is still under way is waited for, not called nothing", async () => {
  serve({ "GET /api/v1/transfers/trf_1": [{ body: drafted }, { body: posted }] });
  await after({ type: "draft", draft: { ...draft, id: "trf_1" } });
  await screen.findByRole("heading", { name: "What was done" });
  expect(done().queryByText(/nothing/i)).toBeNull();
  await done().findByText(/Sent ₹15,000.00/, {}, { timeout: 4_000 });
});

test("reminders and requests are done things too", async () => {
  serve({});
  const reminders = [{ text: "pay the rent", due_at: "2026-12-01T03:30:00Z" }];
  await after(
    { type: "tool-finished", name: "add_reminder", card: { kind: "reminders", account: "all", reminders } },
    { type: "tool-finished", name: "block_card", card: { kind: "request", id: "req_12ab", request: "block_card" } },
  );
  expect(done().getByText("Reminder set: pay the rent")).toBeTruthy();
  expect(done().getByText(/ends in 12ab/)).toBeTruthy();
  expect(done().getByText("No money was moved.")).toBeTruthy();
});

test("a record that cannot be read is told, with a way to try again", async () => {
  serve({ "GET /api/v1/transfers/trf_1": [refusal(500, "internal"), { body: posted }] });
  await after({ type: "draft", draft: { ...draft, id: "trf_1" } });
  (await done().findByRole("button", { name: "Try again" })).click();
  await done().findByText(/Sent ₹15,000.00/);
});

test("another assistant is offered where there is one", async () => {
  serve({ "GET /api/agents/list": [{ body: [agent] }, { body: [agent, { ...agent, id: "front_desk" }] }] });
  await after();
  await waitFor(() => expect(screen.queryByRole("link", { name: "Choose another assistant" })).toBeNull());
  expect(screen.getByRole("link", { name: "Call again" })).toBeTruthy();
  cleanup();
  await after();
  await screen.findByRole("link", { name: "Choose another assistant" });
});

test("after the last call of a code, another code is asked for", async () => {
  serve({});
  const leave = await afterCallOf({ ...me, remaining_uses: 0 });
  expect(screen.queryByRole("link", { name: /Call again|Choose another/ })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Enter another code" }));
  expect(leave).toHaveBeenCalledOnce();
});

test("a call that never was has nothing to rate", async () => {
  serve({});
  await after();
  expect(screen.queryByRole("heading", { name: "How was the call?" })).toBeNull();
  expect(screen.getByText(/2 calls left/)).toBeTruthy();
});
