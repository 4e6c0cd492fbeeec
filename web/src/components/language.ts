/** Languages by their BCP 47 tags, for people and for what reads pages aloud. */

/** "Hindi", "English (India)". */
export function languageName(tag: string, reader = "en"): string {
  try {
    return new Intl.DisplayNames([reader], { type: "language", languageDisplay: "standard" }).of(tag) ?? tag;
  } catch {
    return tag; // no tag after all
  }
}

/** A language as its own speakers write it: "हिन्दी". */
export const ownName = (tag: string): string => languageName(tag, tag);

/** Whether a text in this language stands out on pages that are English themselves. */
export const isForeign = (tag: string): boolean => !/^en\b/i.test(tag);

/** The `lang` of a text that may be in one of the agents' languages, told by its script; none for the page's own. */
export function langOf(text: string): string | undefined {
  return /\p{Script=Devanagari}/u.test(text) ? "hi" : undefined;
}
