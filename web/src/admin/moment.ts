/** Moments in words. */
import { dayAndTime } from "../components/format";

const DAY_MS = 24 * 60 * 60 * 1000;
const UNITS = [
  ["hour", 60 * 60 * 1000],
  ["minute", 60 * 1000],
] as const;

/** "3 min. ago", or the day and the time once it is more than a day away. */
export function relative(iso: string, now = Date.now()): string {
  const ms = Date.parse(iso) - now;
  if (!(Math.abs(ms) < DAY_MS)) return dayAndTime(iso, new Date(now));
  const [unit, size] = UNITS.find(([, size]) => Math.abs(ms) >= size) ?? [];
  if (!unit || !size) return ms > 0 ? "in a moment" : "just now";
  return new Intl.RelativeTimeFormat(undefined, { numeric: "always", style: "short" }).format(
    Math.trunc(ms / size),
    unit,
  );
}

/** To the second, with the zone. */
export function exact(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" }).format(date);
}
