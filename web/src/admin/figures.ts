/** The operator's figures in the reader's own locale. */

/** Dollars; what costs less than one is told to a hundredth of a cent. */
export function usd(dollars: number): string {
  const digits = dollars !== 0 && Math.abs(dollars) < 1 ? 4 : 2;
  return new Intl.NumberFormat(undefined, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(dollars);
}

interface Cost {
  cost_usd: number;
  /** Something was used whose price is not known. */
  unpriced: boolean;
  /** Some of what was used is estimated. */
  estimated?: boolean;
}

/** What was spent, and how sure that is: "$0.0123", "about $0.0123", "at least $0.0123", "price unknown". */
export function spent({ cost_usd, unpriced, estimated = false }: Cost): string {
  if (!unpriced) return estimated ? `about ${usd(cost_usd)}` : usd(cost_usd);
  return cost_usd > 0 ? `at least ${usd(cost_usd)}` : "price unknown";
}

/** "$3.20 of $100.00 spent", with "at least" where something's price is not known. */
export function ofBudget({ cost_usd, unpriced }: Cost, budget: number): string {
  return `${unpriced ? "at least " : ""}${usd(cost_usd)} of ${usd(budget)} spent`;
}

/** "840 ms", "1.24 s". */
export function span(ms: number): string {
  return ms < 1000 ? `${number(Math.round(ms))}\u00a0ms` : `${number(ms / 1000, 2)}\u00a0s`;
}

/** "97.4 %" of a share between 0 and 1. */
export function percent(share: number): string {
  return new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 }).format(share);
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }).format(value);
}

/** Minutes of talk: to a tenth while there are few. */
export function minutes(value: number): string {
  return number(value, value < 100 ? 1 : 0);
}

/** How far a figure moved: by a share of itself, by points of a percentage, or by so much. */
export type Measure = "share" | "points" | "amount";

export interface Change {
  /** "+12 %", "no change". */
  words: string;
  direction: -1 | 0 | 1;
}

/** How a figure stands against an earlier one; null where there is nothing to hold it against. */
export function change(now: number | null, before: number | null, measure: Measure = "share"): Change | null {
  if (now === null || before === null || (measure === "share" && before === 0)) return null;
  const by = measure === "share" ? now / before - 1 : now - before;
  // What would be written as nothing is nothing.
  const direction = Math.abs(by) < (measure === "amount" ? 0.05 : 0.0005) ? 0 : by > 0 ? 1 : -1;
  if (direction === 0) return { words: "no change", direction };
  const digits = measure === "share" && Math.abs(by) >= 0.1 ? 0 : 1;
  const format = new Intl.NumberFormat(undefined, {
    style: measure === "share" ? "percent" : "decimal",
    signDisplay: "exceptZero",
    maximumFractionDigits: digits,
  });
  if (measure !== "points") return { words: format.format(by), direction };
  const points = format.format(by * 100);
  return { words: `${points} ${/^[+-]1$/.test(points) ? "point" : "points"}`, direction };
}
