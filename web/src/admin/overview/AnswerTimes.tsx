import { LineChart } from "@mantine/charts";
import type { UseQueryResult } from "@tanstack/react-query";

import { span as ms } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import type { Span } from "../period";
import type { Overview } from "../types";
import { bucketLabel, bucketName, SIDE_TICK, TICK, wholeDay } from "./buckets";
import { ChartPanel, Legend } from "./ChartPanel";

const SERIES = [
  { name: "answer_p95_ms", label: "95th percentile", color: "var(--chart-2)", strokeDasharray: "6 4" },
  { name: "answer_p50_ms", label: "Median", color: "var(--chart-1)" },
] as const;

interface AnswerTimesProps {
  overview: UseQueryResult<Overview>;
  span: Span;
  within: string;
}

/** How long callers waited for an answer, over time. */
export function AnswerTimes({ overview, span, within }: AnswerTimesProps) {
  if (!overview.data) {
    return (
      <Panel title="Answer time">
        <Listed query={overview} what="the answer times" height={260}>
          {() => null}
        </Listed>
      </Panel>
    );
  }
  const { buckets, totals } = overview.data;
  const { answer_p50_ms: median, answer_p95_ms: p95 } = totals;
  const words =
    median === null || p95 === null
      ? "No timed answers"
      : `Half of the answers within ${ms(median)}, 95 of 100 within ${ms(p95)}`;
  return (
    <ChartPanel
      title="Answer time"
      about={`${words}, ${within}`}
      summary={`Answer time over time, ${within}. ${words}.`}
      rows={buckets.filter(({ turns }) => turns > 0)}
      name={{ label: "Time", key: ({ at }) => at, of: ({ at }) => bucketName(at, span.bucketMinutes) }}
      columns={[
        { label: "Answers", of: ({ turns }) => turns },
        { label: "Median", of: ({ answer_p50_ms }) => (answer_p50_ms === null ? "–" : ms(answer_p50_ms)) },
        { label: "95th percentile", of: ({ answer_p95_ms }) => (answer_p95_ms === null ? "–" : ms(answer_p95_ms)) },
      ]}
    >
      {median === null ? (
        <NothingHere title="No answer was timed yet">
          Only spoken turns are timed: the wait from the caller’s last word to the agent’s first is drawn here.
        </NothingHere>
      ) : (
        <>
          <Legend entries={SERIES} />
          <LineChart
            h={220}
            data={wholeDay(buckets, span)}
            dataKey="at"
            series={SERIES.map((series) => ({ ...series }))}
            curveType="monotone"
            connectNulls
            valueFormatter={ms}
            accessibilityLayer={false}
            strokeDasharray="0"
            tickLine="none"
            strokeWidth={2}
            dotProps={{ r: 2.5, strokeWidth: 1 }}
            lineProps={{ isAnimationActive: false }}
            xAxisProps={{
              tickFormatter: (at: string) => bucketLabel(at, span.bucketMinutes),
              minTickGap: 28,
              tick: TICK,
            }}
            yAxisProps={{ width: 72, tick: SIDE_TICK }}
            tooltipProps={{ labelFormatter: (at) => bucketName(at as string, span.bucketMinutes) }}
          />
        </>
      )}
    </ChartPanel>
  );
}
