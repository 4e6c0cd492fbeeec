import { dayAndTime } from "../../components/format";
import { number } from "../figures";
import type { Tone } from "../State";
import type { Code, CodeState } from "../types";

/** How a code is called: its label, or when it was made. */
export function nameOf({ label, created_at }: Pick<Code, "label" | "created_at">): string {
  return label?.trim() ? label : `Made ${dayAndTime(created_at)}`;
}

export const TONES: Record<CodeState, Tone> = { active: "good", used_up: "none", expired: "none", disabled: "fair" };

/** "2 of 5". */
export const usesOf = ({ used, max_uses }: Pick<Code, "used" | "max_uses">) => `${number(used)} of ${number(max_uses)}`;
