import { Card, Skeleton, Text, VisuallyHidden } from "@mantine/core";
import { IconArrowDownRight, IconArrowUpRight } from "@tabler/icons-react";

import { counted } from "../../components/format";
import { change, minutes, number, percent, span, spent, type Measure } from "../figures";
import type { Numbers, Overview } from "../types";
import classes from "./Tiles.module.css";

interface Tile {
  label: string;
  of: (numbers: Numbers) => number | null;
  show: (value: number, numbers: Numbers) => string;
  measure?: Measure;
  /** Which way is better, where one is. */
  better?: "more" | "less";
  note?: (numbers: Numbers) => string;
}

const TILES: readonly Tile[] = [
  { label: "Calls", of: (of) => of.calls, show: (value) => number(value) },
  { label: "Minutes", of: (of) => of.minutes, show: minutes },
  { label: "Connected", of: (of) => of.answered_share, show: percent, measure: "points", better: "more" },
  { label: "Turned away", of: (of) => of.refused, show: (value) => number(value), better: "less" },
  { label: "Median answer", of: (of) => of.answer_p50_ms, show: span, better: "less" },
  { label: "95th percentile", of: (of) => of.answer_p95_ms, show: span, better: "less" },
  { label: "Cost", of: (of) => of.cost_usd, show: (_, numbers) => spent(numbers) },
  {
    label: "Rating",
    of: (of) => of.rating_mean,
    show: (value) => number(value, 1),
    measure: "amount",
    better: "more",
    note: ({ ratings }) => counted(ratings, "rating"),
  },
];

interface TilesProps {
  overview: Overview | undefined;
  before: Numbers | null;
  /** "than in the 7 days before" */
  than: string;
}

/** The period's figures, each against those before. */
export function Tiles({ overview, before, than }: TilesProps) {
  const totals = overview?.totals;
  return (
    <Card withBorder radius="lg" padding={0} component="section" aria-label="Figures">
      <dl className={classes.tiles}>
        {TILES.map((tile) => (
          <div key={tile.label} className={classes.tile}>
            <dt>{tile.label}</dt>
            <dd className="figures">
              {totals ? <Figure tile={tile} totals={totals} before={before} than={than} /> : <Skeleton height={52} />}
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

interface FigureProps {
  tile: Tile;
  totals: Numbers;
  before: Numbers | null;
  than: string;
}

function Figure({ tile: { of, show, measure, better, note }, totals, before, than }: FigureProps) {
  const value = of(totals);
  const was = before && of(before);
  const changed = change(value, was, measure);
  const good = changed && better && changed.direction !== 0 && changed.direction > 0 === (better === "more");
  const bad = changed && better && changed.direction !== 0 && !good;
  const Arrow = changed && changed.direction < 0 ? IconArrowDownRight : IconArrowUpRight;
  return (
    <>
      <Text component="span" display="block" fz="1.5rem" fw={650} lh={1.3}>
        {value === null ? "–" : show(value, totals)}
      </Text>
      <span className={classes.change} data-good={good || undefined} data-bad={bad || undefined}>
        {changed ? (
          <>
            {changed.direction !== 0 && <Arrow size={16} aria-hidden />}
            <span>{changed.words}</span>
            <VisuallyHidden component="span"> {than}</VisuallyHidden>
          </>
        ) : null}
        <span className={classes.was}>
          {before === null || was === null
            ? (note?.(totals) ?? (value === null ? "none yet" : "none before"))
            : `was ${show(was, before)}`}
        </span>
      </span>
    </>
  );
}
