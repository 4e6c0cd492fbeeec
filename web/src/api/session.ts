/**
 * Whether somebody has logged in with this browser, and how. The cookies themselves are out of reach of scripts; this only
 * spares newcomers a request that could but be refused, and leads those who are logged out to their own door. Tabs share
 * it as they share the cookies. A browser that keeps nothing for its pages leaves each of them with what it did itself.
 */
const KEY = "parley.logged-in";

export type SessionKind = "guest" | "customer" | "admin";

/** What the browser did not take. */
let unkept: SessionKind | undefined;

export const session = {
  get kind(): SessionKind | null {
    const kind = noted();
    return kind === "guest" || kind === "customer" || kind === "admin" ? kind : null;
  },
  /** Whether nobody is known to be logged in; never where that could have been forgotten. */
  get isOver(): boolean {
    return noted() === null;
  },
  begin(kind: SessionKind): void {
    unkept = undefined;
    try {
      localStorage.setItem(KEY, kind);
    } catch {
      unkept = kind;
    }
  },
  end(): void {
    unkept = undefined;
    try {
      localStorage.removeItem(KEY);
    } catch {
      // Nothing is kept, so that there is nothing to remove.
    }
  },
};

/** What was noted last; undefined where nothing can be kept and nobody has logged in on this page. */
function noted(): string | null | undefined {
  try {
    return unkept ?? localStorage.getItem(KEY);
  } catch {
    return undefined;
  }
}

/** What a log-in page is told by the page that leads to it. */
export interface LoginState {
  reason?: "expired" | "left" | "new-password" | "withdrawn";
  /** The page that was asked for. */
  from?: string;
}
