import { Button, Progress, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { counted, heading } from "../components/format";
import { Notice } from "../components/Notice";
import { AdminPage } from "./AdminPage";
import { systemQuery } from "./api";
import { Facts } from "./Facts";
import { number, percent, span } from "./figures";
import { Listed } from "./Listed";
import { Panel } from "./Panel";
import { Rows } from "./Rows";
import { State, type Tone } from "./State";
import classes from "./SystemPage.module.css";
import type { Part, System, Worker } from "./types";
import { When } from "./When";

const REFRESH_MS = 10_000;
const TONES: Record<Part["state"], Tone> = { ok: "good", trouble: "poor" };
const STATES: Record<Part["state"], string> = { ok: "Well", trouble: "In trouble" };
const WORKER_TONES: Record<Worker["state"], Tone> = { ready: "good", draining: "fair", silent: "poor" };
const WORKER_STATES: Record<Worker["state"], string> = {
  ready: "Takes calls",
  draining: "Takes no new calls",
  silent: "Not there",
};

/** Whether everything the server needs is well, and how it is set up. */
export function SystemPage() {
  const system = useQuery({ ...systemQuery, refetchInterval: REFRESH_MS });
  return (
    <AdminPage title="System">
      {system.data?.draining && (
        <Notice title="The server is being restarted">
          It takes no new calls, and ends when those going on are over.
        </Notice>
      )}
      <Panel title="Seats">
        <Listed query={system} what="the state of the system" height={120}>
          {(of) => <Seats system={of} />}
        </Listed>
      </Panel>
      {system.data && (
        <>
          <Workers workers={system.data.workers} />
          <Sound of={system.data.sound} />
          <Parts parts={system.data.parts} />
          <Configuration settings={system.data.configuration} />
          <Versions versions={system.data.versions} />
        </>
      )}
    </AdminPage>
  );
}

function Seats({ system }: { system: System }) {
  const { seats, seats_taken } = system;
  const free = Math.max(0, seats - seats_taken);
  return (
    <div className={classes.seats}>
      <div>
        <Text className="figures" fz="1.5rem" fw={650} lh={1.3}>
          {number(seats_taken)} of {number(seats)} taken
        </Text>
        <Progress
          value={seats > 0 ? (seats_taken / seats) * 100 : 0}
          size="lg"
          mt="xs"
          color={free === 0 ? "red" : undefined}
          aria-label="Seats taken"
        />
        <Text fz="sm" c="dimmed" mt={6}>
          {free === 0
            ? "Whoever calls now is told that all lines are busy."
            : `${number(free)} more can call at the same time.`}
        </Text>
      </div>
      <Facts
        facts={[
          ["Version", system.version],
          ["Environment", heading(system.environment)],
          ["Process", system.node],
          ["Started", <When at={system.started_at} stop />],
          ["Event loop late by", span(system.lag_ms)],
        ]}
      />
    </div>
  );
}

/** The processes that carry calls; a server that carries them itself has none to show. */
function Workers({ workers }: { workers: readonly Worker[] }) {
  if (workers.every(({ number: which }) => which === 0)) return null;
  return (
    <Panel title="Voice workers" about="The processes that carry calls. One that ends is started anew." flush>
      <Rows label="Voice workers">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Worker</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Seats taken</Table.Th>
            <Table.Th visibleFrom="sm">At work</Table.Th>
            <Table.Th visibleFrom="sm">Late by</Table.Th>
            <Table.Th visibleFrom="md">Restarts</Table.Th>
            <Table.Th visibleFrom="md">Process</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody className="figures">
          {workers.map((worker) => (
            <Table.Tr key={worker.number}>
              <Table.Td>{number(worker.number)}</Table.Td>
              <Table.Td>
                <State tone={WORKER_TONES[worker.state]}>{WORKER_STATES[worker.state]}</State>
              </Table.Td>
              <Table.Td>
                {number(worker.seats_taken)} of {number(worker.seats)}
              </Table.Td>
              <Table.Td visibleFrom="sm">{percent(worker.busy)}</Table.Td>
              <Table.Td visibleFrom="sm">{span(worker.lag_ms)}</Table.Td>
              <Table.Td visibleFrom="md">{number(worker.restarts)}</Table.Td>
              <Table.Td visibleFrom="md">{worker.pid ?? "None"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Rows>
    </Panel>
  );
}

/** pipecat's own transport (MEDIA_PLANE=false) counts none of it. */
const UNMEASURED = "Not measured";

/** What a caller may have heard go wrong. */
function Sound({ of }: { of: System["sound"] }) {
  return (
    <Panel title="Sound" about="Of all calls since the processes that carry them started.">
      <Facts
        facts={[
          ["Packets sent late", of.late_packets === null ? UNMEASURED : number(of.late_packets)],
          ["Silence put into speech", of.inserted_ms === null ? UNMEASURED : span(of.inserted_ms)],
          ["Lost and made up", of.concealed_ms === null ? UNMEASURED : span(of.concealed_ms)],
          ["Not recognised in time", span(of.dropped_ms)],
          ["Ends of turns decided by silence", number(of.late_verdicts)],
          ["Wait for the end of a turn", span(of.verdict_wait_ms)],
        ]}
      />
    </Panel>
  );
}

const isJob = ({ name }: Part) => name.startsWith("job ");
const isWell = ({ state }: Part) => state === "ok";

/** What is in trouble first; work in the background is in sight only when it is asked for or in trouble. */
function Parts({ parts }: { parts: readonly Part[] }) {
  const [all, setAll] = useState(false);
  const jobs = parts.filter(isJob);
  const shown = parts
    .filter((part) => all || !isJob(part) || !isWell(part))
    .sort((a, b) => Number(isWell(a)) - Number(isWell(b)));
  const troubles = parts.filter((part) => !isWell(part)).length;
  return (
    <Panel
      title="Parts"
      about={troubles === 0 ? "Everything is well." : `${counted(troubles, "part is", "parts are")} in trouble.`}
      flush
      tools={
        jobs.length > 0 && (
          <Button variant="subtle" size="sm" h={40} px="xs" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? "Hide" : "Show"} {counted(jobs.length, "background job")}
          </Button>
        )
      }
    >
      <Rows label="Parts">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Part</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th visibleFrom="sm">Since</Table.Th>
            <Table.Th visibleFrom="md">Last error</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((part) => (
            <PartRow key={part.name} part={part} />
          ))}
        </Table.Tbody>
      </Rows>
    </Panel>
  );
}

function PartRow({ part }: { part: Part }) {
  const { label, state, detail, since, last_error, last_error_at } = part;
  return (
    <Table.Tr>
      <Table.Td>
        {label}
        {detail && (
          <Text component="span" display="block" fz="sm" c="dimmed">
            {detail}
          </Text>
        )}
        {last_error && last_error !== detail && (
          <Text component="span" display="block" fz="sm" hiddenFrom="md">
            Last error: {last_error}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <State tone={TONES[state]}>{STATES[state]}</State>
        <Text component="span" display="block" fz="sm" c="dimmed" hiddenFrom="sm">
          <When at={since} />
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <When at={since} />
      </Table.Td>
      <Table.Td visibleFrom="md">
        {last_error === detail ? "As it is now" : (last_error ?? "None")}
        {last_error_at && (
          <Text component="span" display="block" fz="sm" c="dimmed">
            <When at={last_error_at} />
          </Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** What was set stands out from what is as it comes. */
function Configuration({ settings }: { settings: System["configuration"] }) {
  const [all, setAll] = useState(false);
  const set = settings.filter(({ is_default }) => !is_default);
  const shown = all ? settings : set;
  return (
    <Panel
      title="Configuration"
      about={
        set.length > 0
          ? `${counted(set.length, "setting differs", "settings differ")} from the default. Secrets are masked.`
          : "Everything is as it is by default."
      }
      flush
      tools={
        <Button variant="subtle" size="sm" h={40} px="xs" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show what differs" : `Show all ${number(settings.length)}`}
        </Button>
      }
    >
      {shown.length > 0 && (
        <Rows label="Configuration">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Setting</Table.Th>
              <Table.Th>Value</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map(({ name, value, is_default, description }) => (
              <Table.Tr key={name}>
                <Table.Td className={classes.setting}>
                  <Text component="span" fz="sm" fw={is_default ? 400 : 600} ff="monospace">
                    {name}
                  </Text>
                  <Text component="span" display="block" fz="sm" c="dimmed">
                    {description}
                  </Text>
                </Table.Td>
                <Table.Td>
                  {value || <span className={classes.unset}>empty</span>}
                  {all && !is_default && (
                    <Text component="span" display="block" fz="xs" c="dimmed">
                      Differs from the default
                    </Text>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Rows>
      )}
    </Panel>
  );
}

function Versions({ versions }: { versions: Record<string, string> }) {
  return (
    <Panel title="Versions">
      <Facts facts={Object.entries(versions)} />
    </Panel>
  );
}
