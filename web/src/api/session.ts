/**
 * Whether somebody has logged in from this tab, and how. The cookies themselves are out of reach of scripts; this only
 * spares newcomers a request that could but be refused, and leads those who are logged out to their own door.
 */
const KEY = "parley.logged-in";

export type SessionKind = "guest" | "customer" | "admin";

export const session = {
  get kind(): SessionKind | null {
    const kind = sessionStorage.getItem(KEY);
    return kind === "guest" || kind === "customer" || kind === "admin" ? kind : null;
  },
  begin(kind: SessionKind): void {
    sessionStorage.setItem(KEY, kind);
  },
  end(): void {
    sessionStorage.removeItem(KEY);
  },
};

/** What a log-in page is told by the page that leads to it. */
export interface LoginState {
  reason?: "expired" | "left" | "new-password";
  /** The page that was asked for. */
  from?: string;
}
