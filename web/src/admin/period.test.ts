import { expect, test } from "vitest";

import { datesToMoments, dayBefore, hoursOf, momentsOf, spanOf } from "./period";

const now = new Date(2026, 10, 20, 14, 35); // where the reader is

test("today begins at the reader's midnight, and is held against yesterday by this time", () => {
  const today = spanOf("today", now);
  expect(today).toEqual({ from: new Date(2026, 10, 20), to: now, bucketMinutes: 60 });
  expect(hoursOf(today)).toBe(15);
  expect(dayBefore(today)).toEqual({
    from: new Date(2026, 10, 19),
    to: new Date(2026, 10, 19, 14, 35),
    bucketMinutes: 60,
  });
});

test("other periods are whole hours or days that end with the one going on", () => {
  const day = spanOf("24h", now);
  expect(day.from).toEqual(new Date(2026, 10, 19, 15));
  expect(hoursOf(day)).toBe(24);
  const week = spanOf("7d", now);
  expect(week).toEqual({ from: new Date(2026, 10, 14), to: now, bucketMinutes: 1440 });
  expect(Math.ceil(hoursOf(week) / 24)).toBe(7);
});

test("a day is told to the server from its beginning to the beginning of the next", () => {
  expect(datesToMoments("2026-11-18", "2026-11-19")).toEqual({
    from: new Date(2026, 10, 18).toISOString(),
    to: new Date(2026, 10, 20).toISOString(),
  });
  expect(datesToMoments("", "nonsense")).toEqual({});
});

test("a list is asked for a period, for dates, or for all time", () => {
  expect(momentsOf("7d", "", "", now)).toEqual({ from: new Date(2026, 10, 14).toISOString() });
  expect(momentsOf("dates", "2026-11-18", "", now)).toEqual({ from: new Date(2026, 10, 18).toISOString() });
  expect(momentsOf("", "2026-11-18", "", now)).toEqual({});
});
