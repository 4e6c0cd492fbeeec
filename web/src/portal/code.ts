import { ApiError } from "../api/errors";
import type { Portal } from "../api/queries";
import { refusalInWords } from "../api/refusals";

export interface CodeShape {
  length: number;
  type: "number" | RegExp;
  inputMode: "numeric" | "text";
  words: string;
}

/** Crockford's alphabet leaves out I, L, O and U, which are mistaken for others. */
const CROCKFORD = /^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]+$/;

export function codeShape(portal: Pick<Portal, "otp_length" | "otp_format"> | undefined): CodeShape {
  const length = portal?.otp_length ?? 6;
  return portal?.otp_format.startsWith("crockford")
    ? { length, type: CROCKFORD, inputMode: "text", words: `${length}-character` }
    : { length, type: "number", inputMode: "numeric", words: `${length}-digit` };
}

/** A pasted code without what surrounds it, or an empty string if there is none. */
export function cleanCode(text: string, shape: CodeShape): string {
  const compact = text.replaceAll(/[\s\-–—._]/g, "");
  const code = shape.type === "number" ? compact : compact.toUpperCase().replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  const valid = shape.type === "number" ? /^\d+$/ : CROCKFORD;
  return valid.test(code) ? code.slice(0, shape.length) : "";
}

/** Why a code was not accepted, and what to do; which kind of bad code it is, is not told. */
export function codeRefusal(error: unknown): string {
  switch (error instanceof ApiError ? error.status : null) {
    case 401:
    case 403:
      return "This code does not work. Check it for a typing slip; if it is right, it has expired or been used up: ask for a new one.";
    case 422:
      return "That does not look like a code. Enter it exactly as you were given it.";
    default:
      return refusalInWords(error);
  }
}
