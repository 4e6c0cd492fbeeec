import type { Portal } from "../api/queries";

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
