import classes from "./State.module.css";

export type Tone = "good" | "fair" | "poor" | "none" | "live";

/** A state in words, with a dot for the eye that runs down a list. */
export function State({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={classes.state}>
      <span className={classes.dot} data-tone={tone} aria-hidden />
      {children}
    </span>
  );
}
