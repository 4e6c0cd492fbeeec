import { describe, expect, test } from "vitest";

import {
  conversationReducer,
  emptyConversation,
  hasUnheard,
  heardText,
  type AgentTurn,
  type CallerTurn,
  type ConversationEvent,
} from "./conversation";

function tell(...events: ConversationEvent[]) {
  return events.reduce(conversationReducer, emptyConversation).turns;
}

const caller = (text: string, final: boolean, at = 0): ConversationEvent => ({ type: "caller-text", text, final, at });
const agent = (segmentId: number, text: string, heardText: string | null, at = 0): ConversationEvent => ({
  type: "agent-text",
  segmentId,
  text,
  heardText,
  at,
});

describe("what the caller says", () => {
  test("interim words are replaced, final words stay", () => {
    const [turn] = tell(caller("what", false), caller("what is my bell", false), caller("what is my balance", true));
    expect(turn).toMatchObject({ kind: "caller", text: "what is my balance", interim: "" });
  });

  test("two finals of one turn are one utterance", () => {
    const turns = tell(caller("send fifty", true), caller("to ravi", false), caller("to Ravi", true));
    expect(turns).toHaveLength(1);
    expect(turns[0]).toMatchObject({ text: "send fifty to Ravi", interim: "" });
  });

  test("after an answer a new turn begins", () => {
    const turns = tell(caller("hello", true), agent(1, "Hello!", "Hello!"), caller("my balance", false));
    expect(turns.map((turn) => turn.kind)).toEqual(["caller", "agent", "caller"]);
  });

  test("a late final completes the words it belongs to, though the agent has begun to answer", () => {
    const turns = tell(caller("my bal", false), agent(1, "One moment.", ""), caller("my balance", true));
    expect(turns.map((turn) => turn.kind)).toEqual(["caller", "agent"]);
    expect(turns[0]).toMatchObject({ text: "my balance", interim: "" });
  });

  test("interim words that came to nothing leave nothing behind", () => {
    expect(tell(caller("uh", false), caller("", true))).toEqual([]);
    expect(tell(caller("  ", true))).toEqual([]);
  });

  test("typed words stand alone", () => {
    const turns = tell({ type: "caller-typed", text: "hello", at: 0 }, caller("balance", true));
    expect(turns.map((turn) => (turn as CallerTurn).typed)).toEqual([true, false]);
  });
});

describe("what the agent says", () => {
  test("progress moves forward through the sentence, never back", () => {
    const [turn] = tell(
      agent(1, "Your balance is ten rupees.", ""),
      agent(1, "Your balance is ten rupees.", "Your balance"),
      agent(1, "Your balance is ten rupees.", "Your"),
    ) as AgentTurn[];
    expect(turn?.segments).toEqual([{ id: 1, text: "Your balance is ten rupees.", heard: "Your balance".length }]);
  });

  test("sentences of one answer share a turn, a new start after a pause does not", () => {
    const answer = [agent(1, "One.", "One.", 0), { type: "agent-silent", at: 1_000 } as const];
    expect(tell(...answer, agent(2, "Two.", "", 1_500))).toHaveLength(1);
    expect(tell(...answer, agent(2, "Are you still there?", "", 9_000))).toHaveLength(2);
  });

  test("what is cut off was heard only as far as it was spoken", () => {
    const [turn] = tell(
      agent(1, "Your last payment was to Ravi.", "Your last payment"),
      { type: "cut-off", at: 10 },
      { type: "agent-silent", at: 20 },
      agent(1, "Your last payment was to Ravi.", "Your last payment was"),
    ) as [AgentTurn];
    expect(turn.cutOff).toBe(true);
    expect(heardText(turn)).toBe("Your last payment");
  });

  test("an interruption told just after the silence it caused still counts", () => {
    const [turn] = tell(agent(1, "One two.", "One"), { type: "agent-silent", at: 10 }, { type: "cut-off", at: 20 });
    expect(turn).toMatchObject({ cutOff: true });
  });

  test("speaking after a whole answer cuts nothing off", () => {
    const whole = tell(agent(1, "One two.", "One two."), { type: "cut-off", at: 10 });
    expect(whole[0]).toMatchObject({ cutOff: false });
    const longAgo = tell(agent(1, "One two.", "One"), { type: "agent-silent", at: 10 }, { type: "cut-off", at: 9_000 });
    expect(longAgo[0]).toMatchObject({ cutOff: false });
  });

  test("after an interruption the next answer is a turn of its own", () => {
    const turns = tell(agent(1, "One two.", "One"), { type: "cut-off", at: 1 }, agent(2, "Sorry.", "", 2));
    expect(turns).toHaveLength(2);
  });

  test("a server that tells no progress is shown as heard", () => {
    const [turn] = tell(agent(1, "Hello.", null)) as [AgentTurn];
    expect(hasUnheard(turn)).toBe(false);
  });

  test("other spaces in the progress do not lose the place", () => {
    const [turn] = tell(agent(1, "Ten  rupees only.", " Ten rupees")) as [AgentTurn];
    expect(turn.segments[0]?.heard).toBe("Ten rupees".length);
  });
});

describe("what is done", () => {
  test("an activity is begun and finished by name", () => {
    const started = { type: "tool-started", name: "get_balance", doing: "Looking up your balance", at: 0 } as const;
    expect(tell(started)).toMatchObject([{ kind: "activity", doing: "Looking up your balance", done: false }]);
    expect(tell(started, { type: "tool-finished", name: "other", at: 1 })).toMatchObject([{ done: false }]);
    expect(tell(started, { type: "tool-finished", name: "get_balance", at: 1 })).toMatchObject([{ done: true }]);
  });

  test("an act without words is not shown", () => {
    expect(tell({ type: "tool-started", name: "x", doing: "", at: 0 })).toEqual([]);
  });
});

test("a call without end does not grow without end", () => {
  const turns = tell(
    ...Array.from({ length: 2_500 }, (_, at) => ({ type: "caller-typed", text: `${at}`, at }) as const),
  );
  expect(turns).toHaveLength(2_000);
  expect(turns.at(-1)).toMatchObject({ text: "2499" });
});
