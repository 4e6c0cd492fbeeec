/** When a code ends, as it is chosen. */

const MINUTE_MS = 60_000;

export interface Expiry {
  /** Minutes from now, "at" for a moment, or empty for never. */
  choice: string;
  /** That moment in the reader's own time ("2026-11-30T18:00"). */
  at: string;
}

export const NEVER: Expiry = { choice: "", at: "" };

/** The moment it means, or null for never. */
export function momentOf({ choice, at }: Expiry, now = Date.now()): Date | null {
  if (choice === "") return null;
  return choice === "at" ? new Date(at) : new Date(now + Number(choice) * MINUTE_MS);
}

/** What is wrong with it, or null. */
export function expiryFault(expiry: Expiry, now = Date.now()): string | null {
  const moment = momentOf(expiry, now);
  if (moment === null) return null;
  if (Number.isNaN(moment.getTime())) return "Choose a day and a time.";
  return moment.getTime() <= now ? "Choose a time that is still to come." : null;
}

/** A moment as the fields take it, to the minute. */
export function expiryOf(iso: string | null): Expiry {
  if (iso === null) return NEVER;
  const date = new Date(iso);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * MINUTE_MS);
  return { choice: "at", at: local.toISOString().slice(0, 16) };
}
