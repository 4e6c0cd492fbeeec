/** The bank's own time: its days begin and end in India, whoever reads of them, as the agent says them too. */
import { day, dayAndTime } from "./format";

export const BANK_ZONE = "Asia/Kolkata";
const BANK_OFFSET = "+05:30"; // all the year round

/** The day a moment falls on at the bank, or a calendar date as it is. */
export const bankDay = (iso: string, now?: Date): string => day(iso, now, BANK_ZONE);

/** "12 Nov, 14:05", and where the reader's clock shows another time, that this is the time in India. */
export function bankDayAndTime(iso: string, now?: Date): string {
  const time = dayAndTime(iso, now, BANK_ZONE);
  return time && isElsewhere(new Date(iso)) ? `${time} (India)` : time;
}

/** Whether clocks show another time where the reader is. */
export function isElsewhere(at = new Date()): boolean {
  const clock = (timeZone?: string) =>
    new Intl.DateTimeFormat("en", { dateStyle: "short", timeStyle: "short", timeZone }).format(at);
  return clock() !== clock(BANK_ZONE);
}

/** The day it is at the bank. */
export function bankDate(now = new Date()): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: BANK_ZONE }).format(now);
}

/** The moment of a day ("2026-11-30") and time ("09:00") at the bank; an invalid date if they are none. */
export function bankMoment(date: string, time: string): Date {
  return new Date(`${date}T${time}${BANK_OFFSET}`);
}
