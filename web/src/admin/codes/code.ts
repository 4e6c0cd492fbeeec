import { dayAndTime } from "../../components/format";
import { number } from "../figures";
import type { Tone } from "../State";
import type { Code, CodeState } from "../types";

/** What tells the codes of one batch apart: the end of the id. */
export const tailOf = ({ id }: Pick<Code, "id">) => id.slice(-4);

/** How a code is called: its label, or when it was made, and what tells it from its like: "Fair · k3f9". */
export function nameOf(code: Pick<Code, "id" | "label" | "created_at">): string {
  return `${code.label?.trim() ? code.label : `Made ${dayAndTime(code.created_at)}`} · ${tailOf(code)}`;
}

export const TONES: Record<CodeState, Tone> = { active: "good", used_up: "none", expired: "none", disabled: "fair" };

/** "2 of 5". */
export const usesOf = ({ used, max_uses }: Pick<Code, "used" | "max_uses">) => `${number(used)} of ${number(max_uses)}`;
