/** What was said and done in a call, folded from the events of the line. Pure: times come with the events. */

export interface CallerTurn {
  kind: "caller";
  id: number;
  at: number;
  /** Recognised for good. */
  text: string;
  /** Still being recognised, may change. */
  interim: string;
  typed: boolean;
}

export interface Segment {
  /** The server's id of the piece of text. */
  id: number;
  text: string;
  /** How many characters have been heard so far. */
  heard: number;
}

export interface AgentTurn {
  kind: "agent";
  id: number;
  at: number;
  segments: Segment[];
  /** The caller spoke over it: what had not been heard by then never was. */
  cutOff: boolean;
  /** When the voice last fell silent, or null while it may go on. */
  silentAt: number | null;
}

export interface Activity {
  kind: "activity";
  id: number;
  at: number;
  name: string;
  doing: string;
  done: boolean;
}

export type Turn = CallerTurn | AgentTurn | Activity;

export interface Conversation {
  turns: readonly Turn[];
  nextId: number;
}

export type ConversationEvent =
  | { type: "caller-text"; text: string; final: boolean; at: number }
  | { type: "caller-typed"; text: string; at: number }
  | {
      type: "agent-text";
      segmentId: number | null;
      text: string;
      /** The part already heard, as the server tells it; null when it does not tell. */
      heardText: string | null;
      at: number;
    }
  | { type: "agent-silent"; at: number }
  | { type: "cut-off"; at: number }
  | { type: "tool-started"; name: string; doing: string; at: number }
  | { type: "tool-finished"; name: string; at: number };

export const emptyConversation: Conversation = { turns: [], nextId: 1 };

/** A pause longer than this starts a new paragraph of the agent's. */
const SAME_TURN_MS = 3_000;
/** An interruption may be told a moment after the silence that it caused. */
const CUT_OFF_MS = 1_500;
/** A call has a maximum length, but what an unexpected server sends must not grow without end either. */
const MAX_TURNS = 2_000;

export function conversationReducer(conversation: Conversation, event: ConversationEvent): Conversation {
  switch (event.type) {
    case "caller-text":
      return hearCaller(conversation, event.text.trim(), event.final, event.at);
    case "caller-typed":
      return add(conversation, { kind: "caller", at: event.at, text: event.text, interim: "", typed: true });
    case "agent-text":
      return hearAgent(conversation, event);
    case "agent-silent":
      return updateLast(conversation, isAgent, (turn) => ({ ...turn, silentAt: event.at }));
    case "cut-off":
      return updateLast(conversation, isAgent, (turn) =>
        isSpeaking(turn, event.at) && hasUnheard(turn) ? { ...turn, cutOff: true } : turn,
      );
    case "tool-started":
      return event.doing
        ? add(conversation, { kind: "activity", at: event.at, name: event.name, doing: event.doing, done: false })
        : conversation;
    case "tool-finished":
      return updateLast(
        conversation,
        (turn): turn is Activity => turn.kind === "activity" && turn.name === event.name && !turn.done,
        (turn) => ({ ...turn, done: true }),
      );
  }
}

function hearCaller(conversation: Conversation, text: string, final: boolean, at: number): Conversation {
  // Words still being recognised belong to the turn they were begun in, even if the agent has answered meanwhile.
  const last = conversation.turns.at(-1);
  const open =
    conversation.turns.findLast((turn) => turn.kind === "caller" && turn.interim !== "") ??
    (last?.kind === "caller" && !last.typed ? last : undefined);
  if (open?.kind === "caller") {
    const next = final ? { ...open, text: joined(open.text, text), interim: "" } : { ...open, interim: text };
    return next.text || next.interim ? replace(conversation, open, next) : remove(conversation, open);
  }
  if (!text) return conversation;
  return add(conversation, {
    kind: "caller",
    at,
    text: final ? text : "",
    interim: final ? "" : text,
    typed: false,
  });
}

function hearAgent(
  conversation: Conversation,
  event: Extract<ConversationEvent, { type: "agent-text" }>,
): Conversation {
  const { segmentId, text, heardText, at } = event;
  const heard = heardText === null ? text.length : heardLength(text, heardText);
  const known = segmentId === null ? undefined : findSegment(conversation, segmentId);
  if (known) {
    if (known.cutOff) return conversation;
    const segments = known.segments.map((segment) =>
      segment.id === segmentId ? { ...segment, text, heard: Math.max(segment.heard, heard) } : segment,
    );
    return replace(conversation, known, { ...known, segments, silentAt: null });
  }
  if (!text.trim()) return conversation;
  const segment: Segment = { id: segmentId ?? -conversation.nextId, text, heard };
  const last = conversation.turns.at(-1);
  const goesOn =
    last?.kind === "agent" && !last.cutOff && (last.silentAt === null || at - last.silentAt < SAME_TURN_MS);
  return goesOn
    ? replace({ ...conversation, nextId: conversation.nextId + 1 }, last, {
        ...last,
        segments: [...last.segments, segment],
        silentAt: null,
      })
    : add(conversation, { kind: "agent", at, segments: [segment], cutOff: false, silentAt: null });
}

/** The server repeats the heard words, sometimes with other spaces; what is left over is then the better measure. */
function heardLength(text: string, heardText: string): number {
  if (text.startsWith(heardText)) return heardText.length;
  return Math.min(text.length, heardText.trim().length);
}

function isSpeaking(turn: AgentTurn, at: number): boolean {
  return turn.silentAt === null || at - turn.silentAt < CUT_OFF_MS;
}

export function hasUnheard(turn: AgentTurn): boolean {
  return turn.segments.some((segment) => segment.text.slice(segment.heard).trim() !== "");
}

/** An agent's turn as it was heard, for the record after the call. */
export function heardText(turn: AgentTurn): string {
  return turn.segments
    .map((segment) => (turn.cutOff ? segment.text.slice(0, segment.heard) : segment.text).trim())
    .filter(Boolean)
    .join(" ");
}

type Added = Omit<CallerTurn, "id"> | Omit<AgentTurn, "id"> | Omit<Activity, "id">;

function add(conversation: Conversation, turn: Added): Conversation {
  const turns = [...conversation.turns, { ...turn, id: conversation.nextId }];
  return { turns: turns.slice(-MAX_TURNS), nextId: conversation.nextId + 1 };
}

function replace(conversation: Conversation, old: Turn, next: Turn): Conversation {
  return { ...conversation, turns: conversation.turns.map((turn) => (turn === old ? next : turn)) };
}

function remove(conversation: Conversation, old: Turn): Conversation {
  return { ...conversation, turns: conversation.turns.filter((turn) => turn !== old) };
}

function updateLast<Kind extends Turn>(
  conversation: Conversation,
  matches: (turn: Turn) => turn is Kind,
  change: (turn: Kind) => Turn,
): Conversation {
  const turn = conversation.turns.findLast(matches);
  return turn ? replace(conversation, turn, change(turn)) : conversation;
}

function findSegment(conversation: Conversation, id: number): AgentTurn | undefined {
  return conversation.turns.findLast(
    (turn): turn is AgentTurn => turn.kind === "agent" && turn.segments.some((segment) => segment.id === id),
  );
}

function isAgent(turn: Turn): turn is AgentTurn {
  return turn.kind === "agent";
}

function joined(before: string, after: string): string {
  return before && after ? `${before} ${after}` : before || after;
}
