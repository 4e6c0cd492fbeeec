import { RTVIEvent } from "@pipecat-ai/client-js";
import { afterEach, describe, expect, test, vi } from "vitest";

import type { Agent } from "../api/queries";
import { refusal, serve } from "../testing/server";
import type { AgentTurn } from "./conversation";
import { ending } from "./end-reasons";
import { LiveCall } from "./live-call";
import { Microphone } from "./microphone";

const agent: Agent = {
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
      { method: "POST", path: "/start", body: { body: { agent_type: "banking" } } },
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
    serve({
      "POST /api/agents/access": [reply],
      "POST /api/v1/auth/refresh-token": [refusal(401, "refresh_refused")],
    });
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

describe("the bank in a call", () => {
  const asksCode = {
    type: "code-requested",
    transfer_id: "trf_1",
    length: 6,
    sent_to: "this page",
    method: "code",
    expires_at: "2026-01-01T00:03:00Z",
    tries_left: 3,
    amount_minor: 1_500_000,
    currency: "INR",
    payee: "Ravi Kumar",
  };
  const transfer = {
    id: "trf_1",
    amount_minor: 1_500_000,
    currency: "INR",
    payee: "Ravi Kumar",
    account: "savings account",
    balance_after_minor: 850_000,
    posted_at: "2026-01-01T00:01:00Z",
  };

  /** A call that has a session, as far as the code's own way is concerned. */
  async function callWithCode(answers: Parameters<typeof serve>[0]) {
    const asked = serve({
      "POST /api/agents/access": [granted],
      "POST /start": [{ body: { sessionId: "call_1", iceConfig: { iceServers: [] } } }],
      ...answers,
    });
    const call = typedCall();
    vi.spyOn(call.client, "connect").mockResolvedValue({} as never);
    await call.start();
    call.client.emit(RTVIEvent.ServerMessage, asksCode);
    return { call, asked: () => asked.filter(({ path }) => path.endsWith("/code")) };
  }

  test("a wrong code leaves fewer tries, the right one closes the keypad", async () => {
    const { call, asked } = await callWithCode({
      "POST /sessions/call_1/code": [
        { body: { right: false, state: "open", tries_left: 2 } },
        { body: { right: true, state: "done", tries_left: 0 } },
      ],
    });
    expect(await call.enterCode("000000")).toBe("That code is not right.");
    expect(call.snapshot().acts.code?.tries_left).toBe(2);
    expect(await call.enterCode("123456")).toBeNull();
    expect(call.snapshot().acts.code).toBeNull();
    expect(asked().map(({ body }) => body)).toEqual([{ code: "000000" }, { code: "123456" }]);
    await call.end("hung_up");
  });

  test("the digits appear nowhere in what is shown of the call", async () => {
    const { call } = await callWithCode({
      "POST /sessions/call_1/code": [{ body: { right: false, state: "open", tries_left: 2 } }],
    });
    await call.enterCode("918273");
    expect(JSON.stringify(call.snapshot())).not.toContain("918273");
    await call.end("hung_up");
  });

  test("the third wrong code, or one that is no longer asked for, closes the keypad", async () => {
    const { call } = await callWithCode({
      "POST /sessions/call_1/code": [
        { body: { right: false, state: "failed", tries_left: 0 } },
        refusal(409, "no_code_asked"),
      ],
    });
    expect(await call.enterCode("000000")).toBeNull();
    expect(call.snapshot().acts.code).toBeNull();
    call.client.emit(RTVIEvent.ServerMessage, asksCode);
    expect(await call.enterCode("000000")).toBeNull();
    expect(call.snapshot().acts.code).toBeNull();
    await call.end("hung_up");
  });

  test("a code that could not be checked is still asked for", async () => {
    const { call } = await callWithCode({ "POST /sessions/call_1/code": ["no answer"] });
    expect(await call.enterCode("123456")).toMatch(/could not be checked/);
    expect(call.snapshot().acts.code?.tries_left).toBe(3);
    await call.end("hung_up");
  });

  test("cancelling closes the keypad at once, even if the server does not answer", async () => {
    const { call, asked } = await callWithCode({ "DELETE /sessions/call_1/code": ["no answer"] });
    const cancelled = call.cancelCode();
    expect(call.snapshot().acts.code).toBeNull();
    await cancelled;
    expect(asked().map(({ method }) => method)).toEqual(["DELETE"]);
    await call.end("hung_up");
  });

  test("what was committed is shown, and told to whoever shows the bank", () => {
    const call = typedCall();
    call.client.emit(RTVIEvent.ServerMessage, { type: "done", transfer });
    expect(call.snapshot()).toMatchObject({ acts: { done: [transfer], draft: null }, changes: 1 });
    call.client.emit(RTVIEvent.ServerMessage, { type: "tool-finished", name: "add_reminder" });
    expect(call.snapshot().changes).toBe(2);
  });

  test("the agent leads to pages of the bank and nowhere else", () => {
    const call = typedCall();
    call.client.emit(RTVIEvent.UICommand, { command: "navigate", payload: { view: "elsewhere" } });
    expect(call.snapshot().shown).toBeNull();
    call.client.emit(RTVIEvent.UICommand, { command: "navigate", payload: { view: "bills" } });
    expect(call.snapshot().shown?.address).toBe("/bank/bills");
    call.client.emit(RTVIEvent.UICommand, { command: "navigate", payload: { view: "call" } });
    expect(call.snapshot().shown?.address).toBe("/call/banking");
  });

  test("once the call is over nothing waits any more", async () => {
    const call = typedCall();
    call.client.emit(RTVIEvent.ServerMessage, asksCode);
    await call.end("vanished");
    expect(call.snapshot().acts).toMatchObject({ draft: null, code: null });
    call.client.emit(RTVIEvent.ServerMessage, asksCode);
    expect(call.snapshot().acts.code).toBeNull();
  });
});

test("what came up last is first beside the conversation, money and all", () => {
  const call = typedCall();
  const balance = { kind: "balance", account: "savings", balance_minor: 5, currency: "INR" };
  const bills = { kind: "bills", bills: [] };
  const done = { id: "trf_1", amount_minor: 5, currency: "INR", payee: "Ravi", account: "savings", posted_at: "" };
  const finished = (card: object) =>
    call.client.emit(RTVIEvent.ServerMessage, { type: "tool-finished", name: "x", card });
  finished(balance);
  finished(bills);
  call.client.emit(RTVIEvent.ServerMessage, { type: "done", transfer: done });
  finished(balance);
  expect(call.snapshot().touched).toEqual(["balance savings", "trf_1", "list bills"]);
});

test("signs of life are told now and then, and only on a line", async () => {
  vi.useFakeTimers();
  try {
    serve({
      "POST /api/agents/access": [granted],
      "POST /start": [{ body: { sessionId: "call_1", iceConfig: { iceServers: [] } } }],
      "DELETE /sessions/call_1": [{ status: 204 }],
    });
    const call = typedCall();
    vi.spyOn(call.client, "connect").mockResolvedValue({} as never);
    const told = vi.spyOn(call.client, "sendClientMessage").mockReturnValue(undefined);
    call.noteActivity();
    expect(told).not.toHaveBeenCalled();
    await call.start();
    call.noteActivity();
    call.noteActivity();
    expect(told.mock.calls).toEqual([["present"]]);
    vi.advanceTimersByTime(5_000);
    call.noteActivity();
    expect(told).toHaveBeenCalledTimes(2);
    await call.end("hung_up");
    vi.advanceTimersByTime(5_000);
    call.noteActivity();
    expect(told).toHaveBeenCalledTimes(2);
  } finally {
    vi.useRealTimers();
  }
});

describe("a line that breaks", () => {
  const gone = refusal(410, "call_lost");

  async function liveCall(): Promise<LiveCall> {
    const call = typedCall();
    vi.spyOn(call.client, "connect").mockResolvedValue({} as never);
    await call.start();
    return call;
  }

  function served(whatBecame: Parameters<typeof serve>[0][string]) {
    return serve({
      "POST /api/agents/access": [granted],
      "POST /start": [{ body: { sessionId: "call_1", iceConfig: { iceServers: [] } } }],
      "PATCH /sessions/call_1/api/offer": whatBecame,
    });
  }

  test.each([
    ["a fault of the server's is told as that", gone, "server_lost"],
    ["a call that the server still has was lost on the way", { body: {} }, "vanished"],
    ["and so was one of a server that does not answer", "no answer" as const, "vanished"],
  ])("%s", async (_, reply, reason) => {
    served([reply]);
    const call = await liveCall();
    call.client.emit(RTVIEvent.Disconnected);
    await vi.waitFor(() => expect(call.snapshot().endReason).toBe(reason));
    expect(ending(reason).title).toMatch(reason === "server_lost" ? /fault on our side/ : /connection was lost/);
  });

  test("the server is asked as soon as nothing comes any more", async () => {
    vi.useFakeTimers();
    try {
      served([{ body: {} }, gone]);
      const call = await liveCall();
      const transport = Reflect.get(call.client, "_transport") as object;
      Reflect.set(transport, "pc", {
        iceConnectionState: "disconnected",
        getTransceivers: () => [],
        getSenders: () => [],
        getReceivers: () => [],
        close: () => {},
      });
      await vi.advanceTimersByTimeAsync(1_000);
      expect(call.snapshot()).toMatchObject({ phase: "live", quality: { grade: "lost" } });
      await vi.advanceTimersByTimeAsync(1_000);
      expect(call.snapshot()).toMatchObject({ phase: "ended", endReason: "server_lost" });
    } finally {
      vi.useRealTimers();
    }
  });

  test("a call that goes down before it is connected may be tried again", async () => {
    served([gone]);
    const call = typedCall();
    vi.spyOn(call.client, "connect").mockRejectedValue(new Error("no line"));
    await call.start();
    expect(call.snapshot().failure).toMatchObject({ kind: "call-lost", remedies: ["retry", "choose-agent"] });
  });
});

test("the first reason of an end stays", async () => {
  const call = typedCall();
  await call.end("silence");
  await call.end("hung_up");
  expect(call.snapshot()).toMatchObject({ phase: "ended", endReason: "silence" });
});
