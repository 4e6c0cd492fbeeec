import { BarChart } from "@mantine/charts";
import { NativeSelect } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { minutes, number, usd } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import type { Span } from "../period";
import type { Traffic, TrafficBucket } from "../types";
import { bucketLabel, bucketName, SIDE_TICK, TICK, wholeDay } from "./buckets";
import { ChartPanel, Legend } from "./ChartPanel";

type Metric = Exclude<keyof TrafficBucket, "at" | "unpriced">;

const METRICS: Record<Metric, { label: string; one: string; show: (value: number) => string }> = {
  calls: { label: "Calls", one: "call", show: number },
  minutes: { label: "Minutes", one: "minute", show: minutes },
  cost_usd: { label: "Cost", one: "cost", show: usd },
  connected: { label: "Connected calls", one: "connected call", show: number },
  failed: { label: "Failed calls", one: "failed call", show: number },
  refused: { label: "Turned away", one: "turned away", show: number },
  accesses: { label: "Uses of codes", one: "use of a code", show: number },
};

const COLORS = 6;

interface TrafficProps {
  traffic: UseQueryResult<Traffic[]>;
  span: Span;
  within: string;
}

/** How much there was to do, agent by agent. */
export function TrafficOverTime({ traffic, span, within }: TrafficProps) {
  const [metric, setMetric] = useState<Metric>("calls");
  const { label, one, show } = METRICS[metric];
  const rows = useMemo(
    () => byBucket(traffic.data ?? [], metric, span.from.getTime(), span.bucketMinutes),
    [traffic.data, metric, span],
  );
  if (!traffic.data) {
    return (
      <Panel title="Traffic">
        <Listed query={traffic} what="the traffic" height={260}>
          {() => null}
        </Listed>
      </Panel>
    );
  }
  const agents = traffic.data.map(({ agent_type, name }, index) => ({
    key: agent_type,
    label: name,
    color: `var(--chart-${(index % COLORS) + 1})`,
  }));
  const sum = (key?: string) =>
    rows.reduce(
      (total, row) => total + (key ? (row.of[key] ?? 0) : Object.values(row.of).reduce((a, b) => a + b, 0)),
      0,
    );
  const lowerBound = metric === "cost_usd" && rows.some(({ unpriced }) => unpriced);
  return (
    <ChartPanel
      title="Traffic"
      about={`${lowerBound ? "at least " : ""}${show(sum())} ${sum() === 1 ? one : label.toLowerCase()}, ${within}`}
      tools={
        <NativeSelect
          aria-label="What is shown"
          size="sm"
          value={metric}
          onChange={(event) => setMetric(event.currentTarget.value as Metric)}
          data={Object.entries(METRICS).map(([value, { label }]) => ({ value, label }))}
        />
      }
      summary={`${label} over time, ${within}: ${agents.map(({ key, label }) => `${label} ${show(sum(key))}`).join(", ")}.`}
      rows={rows}
      name={{ label: "Time", key: ({ at }) => at, of: ({ at }) => bucketName(at, span.bucketMinutes) }}
      columns={agents.map(({ key, label }) => ({ label, of: (row: BucketRow) => show(row.of[key] ?? 0) }))}
    >
      {rows.length === 0 ? (
        <NothingHere title="No calls yet">What happens is drawn here, hour by hour.</NothingHere>
      ) : (
        <>
          <Legend entries={agents} />
          <BarChart
            h={220}
            type="stacked"
            data={wholeDay(
              rows.map(({ at, of }) => ({ at, ...of })),
              span,
            )}
            dataKey="at"
            series={agents.map(({ key, label, color }) => ({ name: key, label, color }))}
            valueFormatter={show}
            accessibilityLayer={false}
            strokeDasharray="0"
            tickLine="none"
            maxBarWidth={28}
            minBarSize={2}
            barProps={{ isAnimationActive: false }}
            xAxisProps={{
              tickFormatter: (at: string) => bucketLabel(at, span.bucketMinutes),
              minTickGap: 28,
              tick: TICK,
            }}
            yAxisProps={{ width: 56, tick: SIDE_TICK, allowDecimals: metric === "cost_usd" || metric === "minutes" }}
            tooltipProps={{ labelFormatter: (at) => bucketName(at as string, span.bucketMinutes) }}
          />
        </>
      )}
    </ChartPanel>
  );
}

interface BucketRow {
  at: string;
  of: Record<string, number>;
  /** Something was used whose price is not known. */
  unpriced: boolean;
}

/** Every bucket of the period with each agent's figure. */
export function byBucket(
  traffic: readonly Traffic[],
  metric: Metric,
  from: number,
  bucketMinutes: number,
): BucketRow[] {
  const rows = new Map<string, BucketRow>();
  for (const { agent_type, buckets } of traffic) {
    for (const bucket of buckets) {
      if (Date.parse(bucket.at) + bucketMinutes * 60_000 <= from) continue;
      const row = rows.get(bucket.at) ?? { at: bucket.at, of: {}, unpriced: false };
      row.of[agent_type] = bucket[metric];
      row.unpriced ||= bucket.unpriced;
      rows.set(bucket.at, row);
    }
  }
  return [...rows.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
