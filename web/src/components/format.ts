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

/** "12 Nov", with the year once it is not this year's. */
export function day(iso: string, now = new Date()): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }),
  }).format(date);
}

/** "3:07", or "1:03:07" from an hour on. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(seconds / 3600);
  return hours ? `${hours}:${parts.join(":")}` : `${Number(parts[0])}:${parts[1]}`;
}
