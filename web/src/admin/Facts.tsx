import type { ReactNode } from "react";

import classes from "./Facts.module.css";

/** A name, its value, and whether it needs more room than others. */
export type Fact = readonly [string, ReactNode, boolean?];

/** Names and values; what has none is left out. */
export function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className={`${classes.facts} figures`}>
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
        .map(([name, value, wide]) => (
          <div key={name} data-wide={wide || undefined}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
