/** A call laid out in time. Pure: the record in, places in milliseconds out. */
import { duration } from "../../components/format";
import { span } from "../figures";
import type { Answer, CallDetail, TurnSaid } from "../types";
import { STAGES } from "../types";
import { STAGE_WORDS, toolInWords } from "../words";

export const LANES = ["caller", "agent", "tools", "waiting"] as const;
export type Lane = (typeof LANES)[number];

export const LANE_WORDS: Record<Lane, string> = {
  caller: "Caller",
  agent: "Agent",
  tools: "Tools",
  waiting: "Waiting",
};

export interface Piece {
  id: string;
  lane: Lane;
  /** Milliseconds from the beginning of the timeline. */
  from: number;
  to: number;
  /** Whether the end is a guess: it was not recorded. */
  guessed: boolean;
  what: string;
  outcome: string | null;
}

export interface Timeline {
  /** The moment at its left edge. */
  start: number;
  length: number;
  /** In the order in which they began. */
  pieces: Piece[];
}

/** About how fast people speak, for turns whose end is not on record. */
const CHARS_PER_S = 15;
const SHORTEST_MS = 1_000;

export function layOut(call: CallDetail, now = Date.now()): Timeline {
  const said = call.turns_said.filter(({ role }) => role !== "tool");
  const moments = [
    call.connected_at ?? call.started_at,
    ...said.map(({ started_at }) => started_at),
    ...call.answers.map(({ at }) => at),
    ...call.events.map(({ at }) => at),
  ].map((at) => Date.parse(at));
  const start = Math.min(...moments);

  const pieces: Piece[] = [
    ...said.map((turn, index) => turnPiece(turn, said[index + 1], call.answers, start)),
    ...call.answers.map((answer) => answerPiece(answer, start)),
    ...call.events.map(({ seq, at, kind, name, took_ms, outcome }): Piece => {
      const from = Date.parse(at) - start;
      return {
        id: `event-${seq}`,
        lane: "tools",
        from,
        to: from + (took_ms ?? 0),
        guessed: took_ms === null,
        what: kind === "tool" ? toolInWords(name) : name,
        outcome: outcome === "ok" ? null : outcome,
      };
    }),
  ].sort((a, b) => a.from - b.from || LANES.indexOf(a.lane) - LANES.indexOf(b.lane));

  const end = call.ended_at ? Date.parse(call.ended_at) : call.state === "open" ? now : start;
  const length = Math.max(SHORTEST_MS, end - start, ...pieces.map(({ to }) => to));
  return { start, length, pieces };
}

export const turnId = (seq: number) => `turn-${seq}`;
export const answerId = (seq: number) => `answer-${seq}`;

function turnPiece(turn: TurnSaid, next: TurnSaid | undefined, answers: readonly Answer[], start: number): Piece {
  const from = Date.parse(turn.started_at) - start;
  const room = next ? Math.max(0, Date.parse(next.started_at) - start - from) : Infinity;
  const ended = turn.ended_at ? Date.parse(turn.ended_at) - start - from : fellSilent(turn, answers, start, from, room);
  const spoken = Math.max(SHORTEST_MS, Math.round((turn.text.length / CHARS_PER_S) * 1000));
  return {
    id: turnId(turn.seq),
    lane: turn.role === "user" ? "caller" : "agent",
    from,
    to: from + Math.max(0, ended ?? Math.min(spoken, room)),
    guessed: ended === null,
    what: turn.text,
    outcome: turn.interrupted ? "cut off" : null,
  };
}

/** How long the caller spoke: until an answer was waited for. */
function fellSilent(turn: TurnSaid, answers: readonly Answer[], start: number, from: number, room: number) {
  if (turn.role !== "user") return null;
  const lengths = answers.filter(({ greeting }) => !greeting).map(({ at }) => Date.parse(at) - start - from);
  return lengths.find((ms) => ms > 0 && ms <= room) ?? null;
}

function answerPiece({ seq, at, greeting, total_ms, stages }: Answer, start: number): Piece {
  const from = Date.parse(at) - start;
  return {
    id: answerId(seq),
    lane: "waiting",
    from,
    to: from + total_ms,
    guessed: false,
    what: [greeting ? "for the greeting" : "", stagesInWords(stages)].filter(Boolean).join(": "),
    outcome: null,
  };
}

/** "Language model 420 ms, Voice 180 ms": the longest three. */
export function stagesInWords(stages: Answer["stages"]): string {
  return STAGES.map((stage) => [stage, stages[stage] ?? 0] as const)
    .filter(([, ms]) => ms > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([stage, ms]) => `${STAGE_WORDS[stage]} ${span(ms)}`)
    .join(", ");
}

/** "0:12, 3.4 s": where a piece stands and how long it is. */
export function placeInWords({ from, to, guessed }: Piece): string {
  return `${duration(from)}, ${guessed ? "about " : ""}${span(to - from)}`;
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/** Marks of time, so far apart that their words have room. */
export function ticks(length: number, width: number, room = 72): number[] {
  const step = (STEPS_S.find((s) => ((s * 1000) / length) * width >= room) ?? 3600) * 1000;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
}

/** The piece that a key leads to from another one, or -1. */
export function step(pieces: readonly Piece[], at: number, key: string): number {
  const piece = pieces[at];
  if (!piece) return -1;
  if (key === "ArrowRight") return Math.min(pieces.length - 1, at + 1);
  if (key === "ArrowLeft") return Math.max(0, at - 1);
  if (key === "Home") return 0;
  if (key === "End") return pieces.length - 1;
  const way = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (way === 0) return -1;
  for (let lane = LANES.indexOf(piece.lane) + way; lane >= 0 && lane < LANES.length; lane += way) {
    const nearest = pieces
      .map((other, index) => ({ index, lane: other.lane, away: Math.abs(other.from - piece.from) }))
      .filter((other) => other.lane === LANES[lane])
      .sort((a, b) => a.away - b.away)[0];
    if (nearest) return nearest.index;
  }
  return at;
}
