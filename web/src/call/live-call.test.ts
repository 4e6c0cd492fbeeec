import { RTVIEvent } from "@pipecat-ai/client-js";
import { afterEach, describe, expect, test, vi } from "vitest";

import type { Agent } from "../api/queries";
import { refusal, serve } from "../testing/server";
import type { AgentTurn } from "./conversation";
import { LiveCall } from "./live-call";
import { Microphone } from "./microphone";

const agent: Agent = {
  id: "banking",
  name: "Bank",
  description: "",
  can_do: [],
  try_saying: [],
  available: true,
  providers: {},
};

const granted = { body: { agent_type: "banking", access_id: "a", remaining_uses: 2 } };

function typedCall(): LiveCall {
  return new LiveCall(agent, new Microphone(), false);
}

afterEach(() => vi.unstubAllGlobals());

describe("starting", () => {
  test("asks pipecat's wire for the agent, after counting a use", async () => {
    const asked = serve({
      "POST /api/agents/access": [granted],
      "POST /start": [refusal(503, "server_busy")],
    });
    await typedCall().start();
    expect(asked).toEqual([
      { method: "POST", path: "/api/agents/access", body: { agent_type: "banking" } },
      { method: "POST", path: "/start", body: { transport: "webrtc", body: { agent_type: "banking" } } },
    ]);
  });

  test("a busy server is told with its wait, and trying again counts no second use", async () => {
    const busy = { ...refusal(503, "server_busy"), headers: { "Retry-After": "12" } };
    const asked = serve({ "POST /api/agents/access": [granted], "POST /start": [busy] });
    const call = typedCall();
    await call.start();
    expect(call.snapshot()).toMatchObject({
      phase: "failed",
      remainingUses: 2,
      failure: { kind: "busy", retryAfterS: 12 },
    });
    await call.retry();
    expect(asked.map(({ path }) => path)).toEqual(["/api/agents/access", "/start", "/start"]);
  });

  test("a use that the server took back is counted again, once, and only when the person tries again", async () => {
    const asked = serve({
      "POST /api/agents/access": [granted],
      "POST /start": [refusal(403, "access_required")],
    });
    const call = typedCall();
    await call.start();
    expect(asked.map(({ path }) => path)).toEqual(["/api/agents/access", "/start"]);
    await call.retry();
    expect(asked.slice(2).map(({ path }) => path)).toEqual(["/start", "/api/agents/access", "/start"]);
    expect(call.snapshot().phase).toBe("failed");
  });

  test.each([
    [refusal(403, "code_used_up"), "code-used-up"],
    [refusal(401, "token_expired"), "session-expired"],
    ["no answer" as const, "unreachable"],
  ])("%j is told as %s", async (reply, kind) => {
    serve({ "POST /api/agents/access": [reply] });
    const call = typedCall();
    await call.start();
    expect(call.snapshot().failure?.kind).toBe(kind);
  });
});

describe("what the line tells", () => {
  test("becomes the conversation", () => {
    const call = typedCall();
    let changes = 0;
    call.subscribe(() => (changes += 1));
    const { client } = call;
    client.emit(RTVIEvent.UserTranscript, { text: "my balance", final: true, timestamp: "", user_id: "" });
    client.emit(RTVIEvent.UserStoppedSpeaking);
    expect(call.snapshot().thinking).toBe(true);
    client.emit(RTVIEvent.ServerMessage, {
      type: "tool-started",
      name: "get_balance",
      doing: "Looking up your balance",
    });
    const card = { kind: "balance", account: "savings", balance_minor: 5, currency: "INR" };
    client.emit(RTVIEvent.ServerMessage, { type: "tool-finished", name: "get_balance", card });
    client.emit(RTVIEvent.BotStartedSpeaking);
    client.emit(RTVIEvent.BotOutput, {
      text: "Five rupees.",
      segment_id: 1,
      will_be_spoken: true,
      spoken_progress: { accumulated_text: "Five", remaining_text: " rupees." },
    });
    expect(call.snapshot()).toMatchObject({ agentSpeaking: true, thinking: false, cards: [card] });
    expect(call.snapshot().conversation.turns.map(({ kind }) => kind)).toEqual(["caller", "activity", "agent"]);
    expect(changes).toBeGreaterThan(0);
  });

  test("an interruption told by the server marks what was not heard", () => {
    const call = typedCall();
    call.client.emit(RTVIEvent.BotOutput, {
      text: "Five rupees.",
      segment_id: 1,
      will_be_spoken: true,
      spoken_progress: { accumulated_text: "Five", remaining_text: " rupees." },
    });
    (call.client as unknown as { handleMessage: (message: object) => void }).handleMessage({ type: "bot-interrupted" });
    expect((call.snapshot().conversation.turns[0] as AgentTurn).cutOff).toBe(true);
  });

  test("text that is not for speaking is not a caption, and unknown messages are let pass", () => {
    const call = typedCall();
    call.client.emit(RTVIEvent.BotOutput, { text: "{}", will_be_spoken: false });
    for (const message of [null, 5, "call-ended", {}, { type: "tool-started" }, { type: "tool-started", name: 5 }]) {
      call.client.emit(RTVIEvent.ServerMessage, message);
    }
    expect(call.snapshot().conversation.turns).toEqual([]);
  });
});

test("the first reason of an end stays", async () => {
  const call = typedCall();
  await call.end("silence");
  await call.end("hung_up");
  expect(call.snapshot()).toMatchObject({ phase: "ended", endReason: "silence" });
});
