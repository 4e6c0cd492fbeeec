import type { Code } from "../types";
import { nameOf } from "./code";

/** What a spreadsheet would take for a formula, whatever was typed into a label: the signs at full width as well. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/** A table for spreadsheets (RFC 4180); no cell of it is ever run as a formula. */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function cell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** A code in halves: easier to read out, and no spreadsheet takes "012-345" for a number. */
export function inHalves(code: string): string {
  const middle = Math.ceil(code.length / 2);
  return `${code.slice(0, middle)}-${code.slice(middle)}`;
}

/** New codes as a file, with the address at which they are entered. */
export function codesCsv(codes: readonly Code[], address: string): string {
  return csv([
    ["code", "name", "label", "uses", "expires_at", "address"],
    ...codes.map((code) => [
      inHalves(code.code ?? ""),
      nameOf(code),
      code.label ?? "",
      String(code.max_uses),
      code.expires_at ?? "",
      address,
    ]),
  ]);
}
