import { useCallback } from "react";
import { useSearchParams } from "react-router";

export interface Filters {
  /** What the address says, an empty string where it says nothing. */
  of: (name: string) => string;
  page: number;
  /** Change what is looked at, which begins at the first page; `replace` while something is typed. */
  choose: (changed: Record<string, string>, options?: { replace?: boolean }) => void;
  open: (page: number) => void;
  clear: () => void;
  /** Whether anything but the page is chosen. */
  any: boolean;
}

/** What is chosen on a page stands in its address: it can be gone back to, kept, and sent to a colleague. */
export function useFilters(names: readonly string[]): Filters {
  const [search, setSearch] = useSearchParams();
  const choose = useCallback(
    (changed: Record<string, string>, options?: { replace?: boolean }) =>
      setSearch((before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries({ page: "", ...changed })) {
          if (value) next.set(name, value);
          else next.delete(name);
        }
        return next;
      }, options),
    [setSearch],
  );
  return {
    of: (name) => search.get(name) ?? "",
    page: Math.max(1, Math.floor(Number(search.get("page"))) || 1),
    choose,
    open: (page) => choose({ page: page > 1 ? String(page) : "" }),
    clear: () => setSearch({}),
    any: names.some((name) => search.get(name)),
  };
}

/** What the address says if it is one of the choices, or an empty string. */
export function among<Choice extends string>(text: string, choices: Record<Choice, unknown>): Choice | "" {
  return Object.hasOwn(choices, text) ? (text as Choice) : "";
}
