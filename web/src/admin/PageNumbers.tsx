import { Pages } from "../bank/Pages";
import classes from "./PageNumbers.module.css";
import type { Filters } from "./useFilters";

/** The pages of a list, kept in the address. */
export function PageNumbers({ total, filters }: { total: number; filters: Filters }) {
  if (total <= 1) return null;
  return (
    <div className={classes.pages}>
      <Pages total={total} page={filters.page} open={filters.open} />
    </div>
  );
}
