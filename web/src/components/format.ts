/** Money, dates and times in the reader's own locale. */

/** An integer of minor units ("12345", "INR") as money. */
export function money(minor: number, currency: string, sign: "auto" | "always" = "auto"): string {
  const format = new Intl.NumberFormat(undefined, {
    style: "currency",
    currency,
    signDisplay: sign === "always" ? "exceptZero" : "auto",
  });
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** "12 Nov", with the year once it is not this year's; takes a moment or a calendar date. */
export function day(iso: string, now = new Date()): string {
  const date = dateOf(iso);
  if (Number.isNaN(date.getTime())) return "";
  const format = new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }),
  });
  return unbroken(format.format(date));
}

/** "12 Nov, 14:05", with the year once it is not this year's. */
export function dayAndTime(iso: string, now = new Date()): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" }).format(date);
  return `${day(iso, now)}, ${unbroken(time)}`;
}

/** "3:07", or "1:03:07" from an hour on. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(seconds / 3600);
  return hours ? `${hours}:${parts.join(":")}` : `${Number(parts[0])}:${parts[1]}`;
}

/** "1 try", "2 tries". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${new Intl.NumberFormat().format(count)} ${count === 1 ? one : many}`;
}

/** "credit_card" as a heading: "Credit card". */
export function heading(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A calendar date ("2026-11-30") is that day wherever its reader is; a moment is the day it falls on there. */
function dateOf(iso: string): Date {
  const [, year, month, dayOfMonth] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(iso) ?? [];
  return year ? new Date(Number(year), Number(month) - 1, Number(dayOfMonth)) : new Date(iso);
}

/** A date or a time is not divided at the end of a line. */
function unbroken(text: string): string {
  return text.replaceAll(" ", "\u00a0");
}
