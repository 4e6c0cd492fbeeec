import { afterEach, describe, expect, test } from "vitest";

import { bankDay, bankDayAndTime, bankMoment, isElsewhere } from "./bank-time";
import { day, grouped, money } from "./format";

const now = new Date("2026-11-20T12:00:00Z");
const zone = process.env["TZ"];

function live(timeZone: string): void {
  process.env["TZ"] = timeZone;
}

afterEach(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

test("rupees are grouped as in India, other money as elsewhere", () => {
  expect(money(10_000_000, "INR")).toBe("₹1,00,000.00");
  expect(money(-123_456_789, "INR")).toBe("-₹12,34,567.89");
  expect(money(5, "INR", "always")).toBe("+₹0.05");
  expect(money(10_000_000, "USD")).toContain("100,000.00");
});

test("so are rupees within a text, and nothing else", () => {
  expect(grouped("Paid ₹180000 for rent, invoice 20250101")).toBe("Paid ₹1,80,000 for rent, invoice 20250101");
  expect(grouped("Sent ₹500 to Ravi")).toBe("Sent ₹500 to Ravi");
  expect(grouped("Sent ₹1500.50 to Ravi")).toBe("Sent ₹1,500.50 to Ravi");
  expect(grouped("Sent ₹15,000 to Ravi")).toBe("Sent ₹15,000 to Ravi");
});

describe("the bank's time", () => {
  // Ten in the evening in Berlin is half past two of the next day in India.
  const evening = "2026-11-12T21:00:00Z";

  test("is the same wherever it is read, and says so where clocks show another", () => {
    live("Asia/Kolkata");
    const there = bankDayAndTime(evening, now);
    expect(isElsewhere(new Date(evening))).toBe(false);
    live("Europe/Berlin");
    expect(isElsewhere(new Date(evening))).toBe(true);
    expect(bankDayAndTime(evening, now)).toBe(`${there} (India)`);
    expect(bankDay(evening, now)).toMatch(/13/);
    expect(day(evening, now)).toMatch(/12/);
  });

  test("a calendar date is that day everywhere", () => {
    for (const place of ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata"]) {
      live(place);
      expect(bankDay("2026-11-30", now)).toMatch(/30/);
      expect(day("2026-11-30", now)).toMatch(/30/);
    }
  });

  test("the year is told once it is another one, by the calendar of the place", () => {
    live("Europe/Berlin");
    const newYear = new Date("2026-12-31T20:00:00Z"); // 2027 in India
    expect(bankDay("2026-12-31T12:00:00Z", newYear)).toMatch(/2026/);
    expect(day("2026-12-31T12:00:00Z", newYear)).not.toMatch(/2026/);
  });

  test("a day and time entered are meant there", () => {
    live("America/Los_Angeles");
    expect(bankMoment("2026-11-30", "09:00").toISOString()).toBe("2026-11-30T03:30:00.000Z");
    expect(bankMoment("", "09:00").getTime()).toBeNaN();
  });

  test("what is no time is nothing", () => {
    expect(bankDayAndTime("soon")).toBe("");
    expect(bankDay("soon")).toBe("");
  });
});
