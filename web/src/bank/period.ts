/** The times a statement is looked at for, as calendar dates of the bank (India). */

import { bankDate } from "../components/bank-time";

export const PERIODS = ["all", "this-month", "last-month", "90-days", "dates"] as const;
export type Period = (typeof PERIODS)[number];

export const PERIOD_WORDS: Record<Period, string> = {
  "this-month": "This month",
  "last-month": "Last month",
  "90-days": "Last 90 days",
  all: "All time",
  dates: "Choose dates",
};

export interface Span {
  since?: string;
  until?: string;
}

/** First and last day of a period, both included; an open end is left out. */
export function spanOf(period: Period, now = new Date()): Span {
  const [year = 0, month = 1, day = 1] = bankDate(now).split("-").map(Number);
  switch (period) {
    case "this-month":
      return { since: isoDate(year, month, 1) };
    case "last-month":
      return { since: isoDate(year, month - 1, 1), until: isoDate(year, month, 0) };
    case "90-days":
      return { since: isoDate(year, month, day - 89) };
    case "all":
    case "dates":
      return {};
  }
}

function isoDate(year: number, month: number, day: number): string {
  return new Date(Date.UTC(year, month - 1, day)).toISOString().slice(0, 10);
}
