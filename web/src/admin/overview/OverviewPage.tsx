import { SegmentedControl, SimpleGrid } from "@mantine/core";
import { useThrottledCallback } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";

import { AdminPage } from "../AdminPage";
import { overviewQuery, trafficQuery } from "../api";
import { Listed } from "../Listed";
import { useLive } from "../live";
import { Panel } from "../Panel";
import { BEFORE_WORDS, dayBefore, hoursOf, isPeriod, PERIOD_WORDS, PERIODS, spanOf, type Span } from "../period";
import { useFilters } from "../useFilters";
import { useNow } from "../useNow";
import { AgentsCompared } from "./AgentsCompared";
import { AnswerTimes } from "./AnswerTimes";
import classes from "./OverviewPage.module.css";
import { Failures } from "./Failures";
import { LiveCalls } from "./LiveCalls";
import { Tiles } from "./Tiles";
import { TrafficOverTime } from "./TrafficOverTime";
import { WhereTimeGoes } from "./WhereTimeGoes";

const SHORT = { today: "Today", "24h": "24 h", "7d": "7 days", "30d": "30 days", "90d": "90 days" } as const;
const MINUTE_MS = 60_000;
/** Calls begin and end more often than their figures need be read. */
const FRESH_MS = 10_000;

/** What goes on now, and how it went lately. */
export default function OverviewPage() {
  const filters = useFilters(["period"]);
  const chosen = filters.of("period");
  const period = isPeriod(chosen) ? chosen : "today";
  const now = Math.floor(useNow(MINUTE_MS) / MINUTE_MS) * MINUTE_MS;
  const span = useMemo(() => spanOf(period, new Date(now)), [period, now]);

  const overview = useQuery(overviewQuery(windowOf(span)));
  // Half a day is held against the same half of the day before, not against that day's other half.
  const yesterday = useQuery({ ...overviewQuery(windowOf(dayBefore(span))), enabled: period === "today" });
  const traffic = useQuery(trafficQuery(hoursOf(span), span.bucketMinutes));
  useFreshAfterCalls();

  const before = period === "today" ? yesterday.data?.totals : overview.data?.previous;
  const within = PERIOD_WORDS[period].toLowerCase();
  return (
    <AdminPage
      title="Overview"
      tools={
        <SegmentedControl
          aria-label="Period"
          value={period}
          onChange={(value) => filters.choose({ period: value === "today" ? "" : value })}
          data={PERIODS.map((value) => ({ value, label: SHORT[value] }))}
          transitionDuration={0}
          className={classes.period}
          classNames={{ control: classes.control, label: classes.choice }}
        />
      }
    >
      <LiveCalls />
      {overview.isError && !overview.data ? (
        <Panel title="Figures">
          <Listed query={overview} what="the figures">
            {() => null}
          </Listed>
        </Panel>
      ) : (
        <>
          <Tiles overview={overview.data} before={before ?? null} than={BEFORE_WORDS[period]} />
          <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
            <TrafficOverTime traffic={traffic} span={span} within={within} />
            <AnswerTimes overview={overview} span={span} within={within} />
            <WhereTimeGoes overview={overview} within={within} />
            <Failures overview={overview} within={within} />
          </SimpleGrid>
          <AgentsCompared overview={overview} />
        </>
      )}
    </AdminPage>
  );
}

const windowOf = ({ from, to, bucketMinutes }: Span) => ({
  from: from.toISOString(),
  to: to.toISOString(),
  bucket_minutes: bucketMinutes,
});

/** What has been counted is read again after calls have begun or ended. */
function useFreshAfterCalls(): void {
  const { live } = useLive();
  const queryClient = useQueryClient();
  const ids = live?.calls
    .map(({ id }) => id)
    .sort()
    .join();
  const refresh = useThrottledCallback(() => {
    for (const noun of ["overview", "traffic", "calls"]) {
      void queryClient.invalidateQueries({ queryKey: ["admin", noun] }, { cancelRefetch: false });
    }
  }, FRESH_MS);
  const seen = useRef(ids);
  useEffect(() => {
    if (seen.current !== undefined && ids !== seen.current) refresh();
    seen.current = ids;
  }, [ids, refresh]);
}
