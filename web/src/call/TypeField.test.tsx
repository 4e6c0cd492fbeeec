import { MantineProvider } from "@mantine/core";
import { RTVIEvent } from "@pipecat-ai/client-js";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useSyncExternalStore } from "react";
import { afterEach, expect, test, vi } from "vitest";

import { serve } from "../testing/server";
import { LiveCall } from "./live-call";
import { Microphone } from "./microphone";
import { TypeField } from "./TypeField";

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
const draft = { id: "trf_1", kind: "transfer", amount_minor: 50_000, currency: "INR", payee: "Ravi" };

function Field({ call, close }: { call: LiveCall; close: () => void }) {
  return <TypeField call={call} state={useSyncExternalStore(call.subscribe, call.snapshot)} close={close} />;
}

/** A call on a line that is not there, with its field; what is sent on it. */
async function open(close = () => undefined as void) {
  serve({
    "POST /api/agents/access": [{ body: { agent_type: "banking", access_id: "a", remaining_uses: 2 } }],
    "POST /start": [{ body: { sessionId: "call_1", iceConfig: { iceServers: [] } } }],
    "DELETE /sessions/call_1": [{ status: 204 }],
  });
  const call = new LiveCall(agent, new Microphone(), false);
  vi.spyOn(call.client, "connect").mockResolvedValue({} as never);
  const sent = vi.spyOn(call.client, "sendText").mockResolvedValue(undefined);
  await call.start();
  render(
    <MantineProvider>
      <Field call={call} close={close} />
    </MantineProvider>,
  );
  const server = (message: object) => call.client.emit(RTVIEvent.ServerMessage, message);
  return { call, server, sent: () => sent.mock.calls.map(([text]) => text) };
}

const field = () => screen.getByRole<HTMLInputElement>("textbox", { name: "Type to the assistant" });

afterEach(() => vi.unstubAllGlobals());

test("a yes is kept while the draft is read out, and goes once it has been heard", async () => {
  const { server, sent } = await open();
  server({ type: "draft", draft });
  server({ type: "read-back", state: "reading" });
  await userEvent.type(field(), "yes{Enter}");
  expect(sent()).toEqual([]);
  expect(field().value).toBe("yes");
  expect(screen.getByRole("status").textContent).toMatch(/wait until it has been read out/i);
  server({ type: "read-back", state: "heard" });
  await screen.findByText(/send it now/i);
  await userEvent.type(field(), "{Enter}");
  expect(sent()).toEqual(["yes"]);
  expect(field().value).toBe("");
});

test("anything else goes at once: who says no need not listen to the end", async () => {
  const { server, sent } = await open();
  server({ type: "draft", draft });
  server({ type: "read-back", state: "reading" });
  await userEvent.type(field(), "no{Enter}");
  await userEvent.type(field(), "yes, but six hundred{Enter}");
  expect(sent()).toEqual(["no", "yes, but six hundred"]);
});

test("without a draft a yes is a turn like any other", async () => {
  const { sent } = await open();
  await userEvent.type(field(), "yes{Enter}");
  expect(sent()).toEqual(["yes"]);
});

test("nothing empty is sent, and Esc closes", async () => {
  const close = vi.fn();
  const { sent } = await open(close);
  await userEvent.type(field(), "  {Enter}{Escape}");
  expect(sent()).toEqual([]);
  expect(close).toHaveBeenCalledOnce();
});
