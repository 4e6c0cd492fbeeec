import { day } from "../../components/format";
import type { Span } from "../period";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A bucket's beginning on the axis: the day where buckets are days, the time where they are shorter. */
export function bucketLabel(at: string, bucketMinutes: number): string {
  if (bucketMinutes >= 1440) return dayOf(at);
  if (Number.isNaN(Date.parse(at))) return "";
  return new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" }).format(new Date(at));
}

/** The same in full, for a list that goes over several days. */
export function bucketName(at: string, bucketMinutes: number): string {
  return bucketMinutes >= 1440 ? dayOf(at) : `${day(at)}, ${bucketLabel(at, bucketMinutes)}`;
}

/** By its noon: where the clock was put back in between, its midnight falls an hour into another day. */
function dayOf(at: string): string {
  const noon = Date.parse(at) + 12 * 60 * 60 * 1000;
  return Number.isNaN(noon) ? "" : day(new Date(noon).toISOString());
}

/** The rows of a day that is not over, with empty ones for the hours to come: the day keeps its width. */
export function wholeDay<Row extends { at: string }>(
  rows: readonly Row[],
  { from, bucketMinutes }: Span,
): (Row | { at: string })[] {
  const last = rows.at(-1);
  const end = from.getTime() + DAY_MS;
  if (!last || bucketMinutes >= 1440) return [...rows];
  const ahead = [];
  for (let at = Date.parse(last.at) + bucketMinutes * 60_000; at < end; at += bucketMinutes * 60_000) {
    ahead.push({ at: new Date(at).toISOString() });
  }
  return [...rows, ...ahead];
}

/** The words of an axis, as large as any. */
export const TICK = { transform: "translate(0, 10)", fontSize: 14, fill: "currentColor" };
export const SIDE_TICK = { transform: "translate(-6, 0)", fontSize: 14, fill: "currentColor" };
