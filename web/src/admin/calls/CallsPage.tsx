import { Anchor, Button, Card, Group, Table, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";

import { agentsQuery } from "../../api/queries";
import { counted, duration } from "../../components/format";
import { AdminPage } from "../AdminPage";
import { callsExport, callsQuery, type CallFilter } from "../api";
import { ChoiceFilter } from "../ChoiceFilter";
import { span, spent } from "../figures";
import filterClasses from "../Filters.module.css";
import { Listed, NothingHere } from "../Listed";
import { PageNumbers } from "../PageNumbers";
import { momentsOf } from "../period";
import { PERIOD_NAMES, PeriodFilter } from "../PeriodFilter";
import { Row, Rows } from "../Rows";
import { SearchField } from "../SearchField";
import { State } from "../State";
import { Exact } from "../When";
import type { Call } from "../types";
import { among, useFilters } from "../useFilters";
import { useNow } from "../useNow";
import { callerInWords, endInWords, OUTCOMES } from "../words";
import { CodeFilter } from "./CodeFilter";
import { OUTCOME_TONES } from "./outcome";

const PER_PAGE = 25;
const REFRESH_MS = 30_000;
/** Characters: the server refuses to look for fewer. */
const LEAST_SEARCHED = 2;

export default function CallsPage() {
  const filters = useFilters([...PERIOD_NAMES, "agent", "code", "outcome", "q"]);
  const agents = useQuery(agentsQuery);
  const filter = useFilter(filters);
  const calls = useQuery({ ...callsQuery(filter, filters.page, PER_PAGE), refetchInterval: REFRESH_MS });
  return (
    <AdminPage
      title="Calls"
      tools={
        <Button
          component="a"
          href={callsExport(filter)}
          download
          variant="default"
          leftSection={<IconDownload size={18} aria-hidden />}
        >
          Export CSV
        </Button>
      }
    >
      <search className={filterClasses.filters} aria-label="Which calls">
        <PeriodFilter filters={filters} />
        <ChoiceFilter
          filters={filters}
          name="agent"
          label="Agent"
          choices={Object.fromEntries(agents.data?.map(({ id, name }) => [id, name]) ?? [])}
        />
        <CodeFilter filters={filters} />
        <ChoiceFilter filters={filters} name="outcome" label="Outcome" choices={OUTCOMES} />
        <SearchField
          filters={filters}
          name="q"
          label="Search"
          placeholder="Caller, label, call id or words"
          least={LEAST_SEARCHED}
          className={filterClasses.wide}
        />
      </search>
      <Card withBorder radius="lg" padding={0}>
        <Listed query={calls} what="the calls" height={480}>
          {({ data, pagination }) =>
            data.length === 0 ? (
              <NothingHere
                title={filters.any ? "No call fits" : "There are no calls yet"}
                action={
                  filters.any && (
                    <Button variant="default" onClick={filters.clear}>
                      Show every call
                    </Button>
                  )
                }
              >
                {filters.any
                  ? "Choose another time or fewer conditions."
                  : "Make a code, enter it on the first page and start a call: it appears here."}
              </NothingHere>
            ) : (
              <>
                <CallRows calls={data} />
                <Group px="lg" py="xs" justify="space-between">
                  <Text fz="sm" c="dimmed" role="status" className="figures">
                    {counted(pagination.total, "call")}
                  </Text>
                </Group>
                <PageNumbers total={pagination.pages} filters={filters} />
              </>
            )
          }
        </Listed>
      </Card>
    </AdminPage>
  );
}

/** What the server is asked for; a period that ends now is asked for anew with every minute. */
function useFilter(filters: ReturnType<typeof useFilters>): CallFilter {
  const minute = Math.floor(useNow(60_000) / 60_000);
  const [period, since, until] = PERIOD_NAMES.map(filters.of) as [string, string, string];
  const [agent, code, q] = ["agent", "code", "q"].map(filters.of) as [string, string, string];
  const outcome = among(filters.of("outcome"), OUTCOMES);
  return useMemo(
    () => ({
      ...momentsOf(period, since, until, new Date(minute * 60_000)),
      ...(agent && { agent_type: agent }),
      ...(code && { otp_id: code }),
      ...(outcome && { outcome }),
      ...(q.length >= LEAST_SEARCHED && { q }),
    }),
    [minute, period, since, until, agent, code, outcome, q],
  );
}

function CallRows({ calls }: { calls: readonly Call[] }) {
  return (
    <Rows label="Calls">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Began</Table.Th>
          <Table.Th>Caller</Table.Th>
          <Table.Th visibleFrom="md">Agent</Table.Th>
          <Table.Th visibleFrom="xs">Outcome</Table.Th>
          <Table.Th data-right>Length</Table.Th>
          <Table.Th data-right visibleFrom="lg">
            Turns
          </Table.Th>
          <Table.Th data-right visibleFrom="sm">
            Median answer
          </Table.Th>
          <Table.Th data-right visibleFrom="lg">
            Rating
          </Table.Th>
          <Table.Th data-right visibleFrom="sm">
            Cost
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {calls.map((call) => (
          <CallRow key={call.id} call={call} />
        ))}
      </Table.Tbody>
    </Rows>
  );
}

function CallRow({ call }: { call: Call }) {
  const to = `/admin/calls/${encodeURIComponent(call.id)}`;
  return (
    <Row to={to}>
      <Table.Td>
        <Exact at={call.started_at}>
          {(time) => (
            <Anchor component={Link} to={to}>
              {time}
            </Anchor>
          )}
        </Exact>
        <Text component="span" display="block" fz="xs" c="dimmed" hiddenFrom="xs">
          {OUTCOMES[call.outcome]}
        </Text>
      </Table.Td>
      <Table.Td>
        {callerInWords(call)}
        <Text component="span" display="block" fz="xs" c="dimmed" hiddenFrom="md">
          {call.agent_name}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">{call.agent_name}</Table.Td>
      <Table.Td visibleFrom="xs">
        <State tone={OUTCOME_TONES[call.outcome]}>{OUTCOMES[call.outcome]}</State>
        {(call.outcome === "failed" || call.outcome === "not_connected") && (
          <Text component="span" display="block" fz="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
            {endInWords(call.end_reason)}
          </Text>
        )}
      </Table.Td>
      <Table.Td data-right>{call.seconds === null ? "–" : duration(call.seconds * 1000)}</Table.Td>
      <Table.Td data-right visibleFrom="lg">
        {call.turns}
      </Table.Td>
      <Table.Td data-right visibleFrom="sm">
        {call.answer_p50_ms === null ? "–" : span(call.answer_p50_ms)}
      </Table.Td>
      <Table.Td data-right visibleFrom="lg">
        {call.rating === null ? "–" : `${call.rating} of 5`}
      </Table.Td>
      <Table.Td data-right visibleFrom="sm">
        {spent(call)}
      </Table.Td>
    </Row>
  );
}
