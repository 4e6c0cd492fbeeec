/** Money, dates and times for the one who reads them. */

/** Rupees are grouped as in India (1,00,000) wherever they are read; other money as its reader is used to. */
const GROUPED_AS: Record<string, string> = { INR: "en-IN" };

/** An integer of minor units ("12345", "INR") as money. */
export function money(minor: number, currency: string, sign: "auto" | "always" = "auto"): string {
  const format = new Intl.NumberFormat(GROUPED_AS[currency], {
    style: "currency",
    currency,
    signDisplay: sign === "always" ? "exceptZero" : "auto",
  });
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** Rupees within a text ("Paid ₹18000 for rent") grouped like all others. */
export function grouped(text: string): string {
  return text.replaceAll(/₹(\d{4,15})(?![\d,])/g, (_, rupees: string) => {
    return `₹${new Intl.NumberFormat(GROUPED_AS["INR"]).format(Number(rupees))}`;
  });
}

/**
 * "12 Nov", with the year once it is not this year's; takes a moment or a calendar date. A calendar date ("2026-11-30") is
 * that day wherever its reader is; a moment is the day it falls on there, or in `timeZone`.
 */
export function day(iso: string, now = new Date(), timeZone?: string): string {
  const calendarDate = /^\d{4}-\d\d-\d\d$/.test(iso);
  const date = new Date(iso); // A date alone is its midnight in UTC.
  if (Number.isNaN(date.getTime())) return "";
  const zone = calendarDate ? "UTC" : timeZone;
  const format = new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    timeZone: zone,
    ...(yearOf(date, zone) === yearOf(now, timeZone) ? {} : { year: "numeric" }),
  });
  return unbroken(format.format(date));
}

/** "12 Nov, 14:05", with the year once it is not this year's. */
export function dayAndTime(iso: string, now = new Date(), timeZone?: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", timeZone }).format(date);
  return `${day(iso, now, timeZone)}, ${unbroken(time)}`;
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

function yearOf(date: Date, timeZone?: string): string {
  return new Intl.DateTimeFormat("en", { year: "numeric", timeZone }).format(date);
}

/** A date or a time is not divided at the end of a line. */
function unbroken(text: string): string {
  return text.replaceAll(" ", "\u00a0");
}
