/** The times an operator looks at, as days of the reader's own. */

export const PERIODS = ["today", "24h", "7d", "30d", "90d"] as const;
export type Period = (typeof PERIODS)[number];

export const PERIOD_WORDS: Record<Period, string> = {
  today: "Today",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  "90d": "Last 90 days",
};

/** What its figures are held against. */
export const BEFORE_WORDS: Record<Period, string> = {
  today: "than yesterday by this time",
  "24h": "than in the 24 hours before",
  "7d": "than in the 7 days before",
  "30d": "than in the 30 days before",
  "90d": "than in the 90 days before",
};

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

export const isPeriod = (name: string): name is Period => (PERIODS as readonly string[]).includes(name);

export interface Span {
  from: Date;
  to: Date;
  bucketMinutes: 15 | 60 | 1440;
}

/**
 * A period that ends now and is made of whole buckets before: hours, or days of the reader's own, this one included. All
 * its days are cut by today's distance from Greenwich, as the server cuts them.
 */
export function spanOf(period: Period, now = new Date()): Span {
  if (period === "24h") return { from: cut(now, HOUR_MS, 23), to: now, bucketMinutes: 60 };
  if (period === "today") return { from: cut(now, DAY_MS, 0), to: now, bucketMinutes: 60 };
  return { from: cut(now, DAY_MS, Number.parseInt(period) - 1), to: now, bucketMinutes: 1440 };
}

function cut(now: Date, sizeMs: number, before: number): Date {
  const eastMs = -now.getTimezoneOffset() * 60_000;
  return new Date(Math.floor((now.getTime() + eastMs) / sizeMs - before) * sizeMs - eastMs);
}

/** The same span a day earlier. */
export function dayBefore({ from, to, bucketMinutes }: Span): Span {
  return { from: new Date(from.getTime() - DAY_MS), to: new Date(to.getTime() - DAY_MS), bucketMinutes };
}

/** Whole hours back to the beginning of a span. */
export function hoursOf({ from, to }: Span): number {
  return Math.max(1, Math.ceil((to.getTime() - from.getTime()) / HOUR_MS));
}

/** From the beginning of one calendar day ("2026-11-30") to the end of another, both where the reader is. */
export function datesToMoments(since: string, until: string): { from?: string; to?: string } {
  return {
    ...(isDate(since) && { from: new Date(`${since}T00:00:00`).toISOString() }),
    ...(isDate(until) && { to: dayAfter(new Date(`${until}T00:00:00`)).toISOString() }),
  };
}

/** What a list is filtered by: one of the periods, or chosen dates. */
export function momentsOf(period: string, since: string, until: string, now: Date): { from?: string; to?: string } {
  if (isPeriod(period)) return { from: spanOf(period, now).from.toISOString() };
  return period === "dates" ? datesToMoments(since, until) : {};
}

const isDate = (text: string) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));

/** The next midnight, be the day 23 hours long. */
function dayAfter(midnight: Date): Date {
  return new Date(midnight.getFullYear(), midnight.getMonth(), midnight.getDate() + 1);
}
