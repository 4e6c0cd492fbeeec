/**
 * Whether somebody has logged in from this tab. The cookie itself is out of reach of scripts; this only spares
 * newcomers a request that could but be refused.
 */
const KEY = "parley.logged-in";

export const session = {
  get exists(): boolean {
    return sessionStorage.getItem(KEY) === "1";
  },
  begin(): void {
    sessionStorage.setItem(KEY, "1");
  },
  end(): void {
    sessionStorage.removeItem(KEY);
  },
};

/** Why the code page is shown instead of the page asked for. */
export type CodePageReason = "expired" | "left";
