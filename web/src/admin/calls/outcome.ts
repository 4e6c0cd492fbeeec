import type { Tone } from "../State";
import type { Outcome } from "../types";

export const OUTCOME_TONES: Record<Outcome, Tone> = {
  live: "live",
  completed: "good",
  failed: "poor",
  not_connected: "fair",
};
