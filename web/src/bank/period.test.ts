import { expect, test } from "vitest";

import { bankDate } from "../components/bank-time";
import { spanOf } from "./period";

const now = new Date("2026-03-15T12:00:00Z");

test("periods are calendar days of the bank, both ends included", () => {
  expect(spanOf("this-month", now)).toEqual({ since: "2026-03-01" });
  expect(spanOf("last-month", now)).toEqual({ since: "2026-02-01", until: "2026-02-28" });
  expect(spanOf("90-days", now)).toEqual({ since: "2025-12-16" });
  expect(spanOf("all", now)).toEqual({});
});

test("January's last month is December of the year before", () => {
  expect(spanOf("last-month", new Date("2026-01-09T12:00:00Z"))).toEqual({ since: "2025-12-01", until: "2025-12-31" });
});

test("the bank's day begins at midnight in India", () => {
  expect(bankDate(new Date("2026-03-31T18:29:00Z"))).toBe("2026-03-31");
  expect(bankDate(new Date("2026-03-31T18:31:00Z"))).toBe("2026-04-01");
  expect(spanOf("this-month", new Date("2026-03-31T18:31:00Z"))).toEqual({ since: "2026-04-01" });
});
