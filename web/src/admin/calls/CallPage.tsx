import { Anchor, Blockquote, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useParams } from "react-router";

import { ApiError } from "../../api/errors";
import { counted, duration, heading } from "../../components/format";
import { AdminPage } from "../AdminPage";
import { callQuery } from "../api";
import { Facts } from "../Facts";
import { number, span, spent } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Rows } from "../Rows";
import { State, type Tone } from "../State";
import type { CallDetail, CallEvent, Usage } from "../types";
import { exact } from "../moment";
import { When } from "../When";
import { callerInWords, endInWords, kindInWords, lineInWords, OUTCOMES, toolInWords, troubleInWords } from "../words";
import { AnswersPanel } from "./AnswersPanel";
import classes from "./CallPage.module.css";
import { OUTCOME_TONES } from "./outcome";
import { layOut } from "./timeline";
import { TimelinePanel } from "./TimelinePanel";
import { Transcript } from "./Transcript";

const BACK = { to: "/admin/calls", label: "Calls" };

/** One call, from the record. */
export default function CallPage() {
  const { callId = "" } = useParams();
  const call = useQuery(callQuery(callId));
  if (call.error instanceof ApiError && call.error.status === 404) {
    return <AdminPage title="There is no such call" lead="Its address may be mistyped." back={BACK} />;
  }
  if (call.data) return <Opened call={call.data} />;
  return (
    <AdminPage title="Call" back={BACK}>
      <Panel title="Call">
        <Listed query={call} what="the call" height={400}>
          {() => null}
        </Listed>
      </Panel>
    </AdminPage>
  );
}

function Opened({ call }: { call: CallDetail }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const timeline = useMemo(() => layOut(call), [call]);
  return (
    <AdminPage title={`${callerInWords(call)} with ${call.agent_name}`} lead={exact(call.started_at)} back={BACK}>
      <div className={classes.call}>
        <div className={classes.main}>
          <Panel title="Call">
            <CallFacts call={call} />
          </Panel>
          <TimelinePanel timeline={timeline} chosen={chosen} choose={setChosen} />
        </div>
        <div className={classes.side}>
          <Transcript
            turns={call.turns_said}
            start={timeline.start}
            agent={call.agent_name}
            live={call.state === "open"}
            chosen={chosen}
            choose={setChosen}
          />
        </div>
        <div className={classes.rest}>
          <AnswersPanel answers={call.answers} start={timeline.start} chosen={chosen} />
          <ToolsPanel events={call.events.filter(({ kind }) => kind === "tool")} start={timeline.start} />
          <TakeoversPanel events={call.events.filter(({ kind }) => kind === "vendor")} start={timeline.start} />
          <CostPanel usage={call.usage} total={spent(call)} />
          {call.rating !== null && (
            <Panel title="Rating">
              <strong>{call.rating} of 5</strong>
              {call.rating_comment && (
                <Blockquote p="sm" mt="xs" fz="md" color="gray">
                  {call.rating_comment}
                </Blockquote>
              )}
            </Panel>
          )}
        </div>
      </div>
    </AdminPage>
  );
}

function CallFacts({ call }: { call: CallDetail }) {
  const code = call.otp_id && (
    <Anchor component={Link} to={`/admin/codes/${encodeURIComponent(call.otp_id)}`}>
      {call.otp_label ?? "A code without a label"}
    </Anchor>
  );
  const vendors = Object.entries(call.providers).flatMap(([kind, name]) =>
    name ? [`${kindInWords(kind)}: ${name}`] : [],
  );
  return (
    <Facts
      facts={[
        ["Outcome", <State tone={OUTCOME_TONES[call.outcome]}>{OUTCOMES[call.outcome]}</State>],
        ["How it ended", endInWords(call.end_reason)],
        ["Length", call.seconds !== null && duration(call.seconds * 1000)],
        ["Turns", number(call.turns)],
        ["Median answer time", call.answer_p50_ms !== null && span(call.answer_p50_ms)],
        ["Cost", spent(call)],
        ["Code", code],
        ["Customer", call.user_name],
        ["Began", <When at={call.started_at} stop />],
        ["Line", lineInWords(call.channel)],
        ["Process", call.node],
        ["Call", call.id, true],
        ["Runs on", vendors.join(" · "), true],
      ]}
    />
  );
}

const EVENT_TONES: Record<string, Tone> = { ok: "good", refused: "fair", failed: "poor" };
const EVENT_WORDS: Record<string, string> = { ok: "Done", refused: "Refused", failed: "Failed" };

function ToolsPanel({ events, start }: { events: readonly CallEvent[]; start: number }) {
  if (events.length === 0) return null;
  return (
    <Panel title="Tools" about={counted(events.length, "use")} flush>
      <Rows label="Tools">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>At</Table.Th>
            <Table.Th>Tool</Table.Th>
            <Table.Th>Outcome</Table.Th>
            <Table.Th data-right>Took</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.map(({ seq, at, name, outcome, took_ms }) => (
            <Table.Tr key={seq}>
              <Table.Td>{duration(Date.parse(at) - start)}</Table.Td>
              <Table.Td>{toolInWords(name)}</Table.Td>
              <Table.Td>
                {outcome && (
                  <State tone={EVENT_TONES[outcome] ?? "none"}>{EVENT_WORDS[outcome] ?? heading(outcome)}</State>
                )}
              </Table.Td>
              <Table.Td data-right>{took_ms === null ? "–" : span(took_ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Rows>
    </Panel>
  );
}

/** Which vendor took over from which and why, from the event's name: `tts: cartesia → offline: rate_limit`. */
function TakeoversPanel({ events, start }: { events: readonly CallEvent[]; start: number }) {
  if (events.length === 0) return null;
  return (
    <Panel title="Vendors that took over" about={counted(events.length, "time")} flush>
      <Rows label="Vendors that took over">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>At</Table.Th>
            <Table.Th>Part</Table.Th>
            <Table.Th>From and to</Table.Th>
            <Table.Th>Why</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.map(({ seq, at, name, outcome }) => {
            const [kind = "", vendors = "", why = ""] = name.split(": ");
            return (
              <Table.Tr key={seq}>
                <Table.Td>{duration(Date.parse(at) - start)}</Table.Td>
                <Table.Td>{kindInWords(kind)}</Table.Td>
                <Table.Td>{vendors}</Table.Td>
                <Table.Td>
                  {outcome === "ok" ? (
                    <State tone="good">Came back</State>
                  ) : (
                    <State tone="poor">{troubleInWords(why)}</State>
                  )}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Rows>
    </Panel>
  );
}

function CostPanel({ usage, total }: { usage: readonly Usage[]; total: string }) {
  return (
    <Panel title="Cost by vendor" flush>
      {usage.length === 0 ? (
        <NothingHere title="Nothing has been charged">Vendors are listed here once they were used.</NothingHere>
      ) : (
        <Rows label="Cost by vendor">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w="35%">Vendor</Table.Th>
              <Table.Th visibleFrom="xs">How much</Table.Th>
              <Table.Th data-right>Cost</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {usage.map((each) => (
              <Table.Tr key={`${each.kind} ${each.provider}`}>
                <Table.Td>
                  {kindInWords(each.kind)}
                  <Text component="span" display="block" fz="xs" c="dimmed">
                    {[each.provider, each.model].filter(Boolean).join(" · ")}
                  </Text>
                </Table.Td>
                <Table.Td visibleFrom="xs">{amountOf(each) || "–"}</Table.Td>
                <Table.Td data-right>
                  {spent({
                    cost_usd: each.cost_usd ?? 0,
                    unpriced: each.cost_usd === null,
                    estimated: each.estimated_answers > 0,
                  })}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
          <Table.Tfoot>
            <Table.Tr>
              <Table.Th scope="row">Together</Table.Th>
              <Table.Td visibleFrom="xs" />
              <Table.Td data-right fw={650}>
                {total}
              </Table.Td>
            </Table.Tr>
          </Table.Tfoot>
        </Rows>
      )}
    </Panel>
  );
}

/** How much of a vendor's service was used, in what it is sold by. */
function amountOf(usage: Usage): string {
  const { audio_seconds, input_tokens, cached_tokens, cache_write_tokens, output_tokens, characters } = usage;
  const cached = [
    cached_tokens > 0 && `, ${number(cached_tokens)} of them cached`,
    cache_write_tokens > 0 && `, ${number(cache_write_tokens)} put into the cache`,
  ];
  return [
    audio_seconds > 0 && `${duration(audio_seconds * 1000)} of sound`,
    input_tokens > 0 && [`${counted(input_tokens, "token")} in`, ...cached].filter(Boolean).join(""),
    output_tokens > 0 && `${number(output_tokens)} out`,
    usage.estimated_answers > 0 && `${counted(usage.estimated_answers, "answer")} cut off, estimated`,
    characters > 0 && counted(characters, "character"),
  ]
    .filter(Boolean)
    .join(" · ");
}
