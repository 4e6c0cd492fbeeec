/** What people enter about money, read exactly or not at all. */

const PLAIN = /^\d{1,13}(\.\d{1,2})?$/;
/** Commas as in India (1,50,000) or elsewhere (150,000): the last group has three digits, those before two or three. */
const GROUPED = /^\d{1,3}(,\d{2,3})*,\d{3}(\.\d{1,2})?$/;

/** Rupees as typed ("1,500.50", "₹ 1500") in paise, or null for what is no amount. */
export function parseRupees(text: string): number | null {
  const compact = text.replaceAll(/[\s\u00a0\u202f]/g, "").replace(/^(₹|rs\.?|inr)/i, "");
  if (!PLAIN.test(compact) && !GROUPED.test(compact)) return null;
  const [whole = "", paise = ""] = compact.replaceAll(",", "").split(".");
  const minor = Number(whole) * 100 + Number(paise.padEnd(2, "0"));
  return Number.isSafeInteger(minor) ? minor : null;
}

/** An account number or branch code as it is printed, without what separates its groups. */
export function compactCode(text: string): string {
  return text.replaceAll(/[\s-]/g, "").toUpperCase();
}

/** What is wrong with an IFSC, or null. Four letters of the bank, a zero, six characters of the branch. */
export function ifscFault(ifsc: string): string | null {
  if (!ifsc) return "Enter the IFSC of the payee's branch. It is printed on cheques and passbooks.";
  if (ifsc.length !== 11) return `An IFSC has 11 characters; this one has ${ifsc.length}.`;
  if (!/^[A-Z]{4}/.test(ifsc)) return "An IFSC begins with four letters for the bank, such as HDFC.";
  if (ifsc[4] !== "0") return "The fifth character of an IFSC is the digit zero. Check for the letter O.";
  return /^[A-Z0-9]{6}$/.test(ifsc.slice(5)) ? null : "The last six characters of an IFSC are letters or digits.";
}

export function accountNumberFault(number: string): string | null {
  return /^\d{6,18}$/.test(number) ? null : "An account number has 6 to 18 digits.";
}

/** Names the bank takes: letters, digits, spaces and . ' - & */
export function nameFault(name: string, longest: number): string | null {
  if (!name.trim()) return "Enter a name.";
  if (name.trim().length > longest) return `At most ${longest} characters.`;
  return /^[\p{L}\p{M}\p{Nd} .'&-]+$/u.test(name.trim())
    ? null
    : "Use letters, digits, spaces and these signs only: . ' - &";
}

/** A key under which the server does one thing once, however often it is asked. */
export function newKey(): string {
  // `randomUUID` exists on secure pages only.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
