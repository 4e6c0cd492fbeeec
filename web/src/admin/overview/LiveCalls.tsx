import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "react-router";

import { counted, duration } from "../../components/format";
import { ofBudget, span } from "../figures";
import { NothingHere } from "../Listed";
import { useLive, type LiveState } from "../live";
import { Panel } from "../Panel";
import { Row, Rows } from "../Rows";
import { State } from "../State";
import type { LiveCall } from "../types";
import { useNow } from "../useNow";
import { callerInWords } from "../words";
import classes from "./LiveCalls.module.css";

/** A bar is full when its call is as long as the longest, and at least this long. */
const FULL_MS = 3 * 60_000;

/** The calls of this moment; their bars grow as they last. */
export function LiveCalls() {
  const { line, live } = useLive();
  const now = useNow(1_000);
  const calls = live?.calls ?? [];
  const longest = Math.max(FULL_MS, ...calls.map((call) => ageOf(call, now)));
  return (
    <Panel
      title="Live now"
      about={
        line === "reconnecting"
          ? "As it was when the connection was lost."
          : live &&
            [
              `${live.seats_taken} of ${counted(live.seats, "seat")} taken`,
              live.budget_usd !== null && `${ofBudget(live.today, live.budget_usd)} today (UTC)`,
            ]
              .filter(Boolean)
              .join(" · ")
      }
      tools={<LineState line={line} />}
      flush
    >
      {calls.length > 0 ? (
        <Rows label="Live calls">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Caller</Table.Th>
              <Table.Th visibleFrom="sm">Agent</Table.Th>
              <Table.Th className={classes.length}>Length</Table.Th>
              <Table.Th data-right visibleFrom="sm">
                Turns
              </Table.Th>
              <Table.Th data-right>Last answer</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {calls.map((call) => (
              <LiveRow key={call.id} call={call} now={now} longest={longest} />
            ))}
          </Table.Tbody>
        </Rows>
      ) : (
        <NothingHere small title={live ? "Nobody is calling" : "Asking for the calls that are going on…"}>
          {live && "Calls appear here by themselves when they begin."}
        </NothingHere>
      )}
    </Panel>
  );
}

function LiveRow({ call, now, longest }: { call: LiveCall; now: number; longest: number }) {
  const to = `/admin/calls/${encodeURIComponent(call.id)}`;
  const age = ageOf(call, now);
  return (
    <Row to={to}>
      <Table.Td>
        <Anchor component={Link} to={to}>
          {callerInWords(call)}
        </Anchor>
        <Text component="span" display="block" fz="xs" c="dimmed" hiddenFrom="sm">
          {call.agent_name}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">{call.agent_name}</Table.Td>
      <Table.Td className={classes.length}>
        <div className={classes.growing}>
          <span className={classes.track} aria-hidden>
            <span className={classes.bar} style={{ width: `${Math.max(1.5, (age / longest) * 100)}%` }} />
          </span>
          <span className={classes.age}>{call.connected_at === null ? "Connecting" : duration(age)}</span>
        </div>
      </Table.Td>
      <Table.Td data-right visibleFrom="sm">
        {call.turns}
      </Table.Td>
      <Table.Td data-right>{call.last_answer_ms === null ? "–" : span(call.last_answer_ms)}</Table.Td>
    </Row>
  );
}

const ageOf = (call: LiveCall, now: number) => Math.max(0, now - Date.parse(call.connected_at ?? call.started_at));

const LINE_WORDS: Record<LiveState["line"], string> = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
};

function LineState({ line }: { line: LiveState["line"] }) {
  return (
    <span role="status">
      <State tone={line === "live" ? "live" : "fair"}>{LINE_WORDS[line]}</State>
    </span>
  );
}
