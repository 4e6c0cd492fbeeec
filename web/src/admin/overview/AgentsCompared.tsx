import { Anchor, Table } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "react-router";

import { minutes, number, percent, span, spent } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Rows } from "../Rows";
import type { Overview } from "../types";

const or = (value: number | null, show: (value: number) => string) => (value === null ? "–" : show(value));

/** The same figures agent by agent. */
export function AgentsCompared({ overview }: { overview: UseQueryResult<Overview> }) {
  return (
    <Panel title="By agent" flush>
      <Listed query={overview} what="the agents’ figures" height={140}>
        {({ agents }) =>
          agents.length === 0 ? (
            <NothingHere title="No agent is switched on" />
          ) : (
            <Rows label="Figures by agent">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Agent</Table.Th>
                  <Table.Th data-right>Calls</Table.Th>
                  <Table.Th data-right visibleFrom="sm">
                    Minutes
                  </Table.Th>
                  <Table.Th data-right>Connected</Table.Th>
                  <Table.Th data-right visibleFrom="xs">
                    Median
                  </Table.Th>
                  <Table.Th data-right visibleFrom="sm">
                    95th percentile
                  </Table.Th>
                  <Table.Th data-right visibleFrom="sm">
                    Refused
                  </Table.Th>
                  <Table.Th data-right>Cost</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {agents.map((of) => (
                  <Table.Tr key={of.agent_type}>
                    <Table.Th scope="row" fw={400}>
                      <Anchor component={Link} to={`/admin/calls?agent=${encodeURIComponent(of.agent_type)}`}>
                        {of.name}
                      </Anchor>
                    </Table.Th>
                    <Table.Td data-right>{number(of.calls)}</Table.Td>
                    <Table.Td data-right visibleFrom="sm">
                      {minutes(of.minutes)}
                    </Table.Td>
                    <Table.Td data-right>{or(of.answered_share, percent)}</Table.Td>
                    <Table.Td data-right visibleFrom="xs">
                      {or(of.answer_p50_ms, span)}
                    </Table.Td>
                    <Table.Td data-right visibleFrom="sm">
                      {or(of.answer_p95_ms, span)}
                    </Table.Td>
                    <Table.Td data-right visibleFrom="sm">
                      {number(of.refused)}
                    </Table.Td>
                    <Table.Td data-cost>{spent(of)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Rows>
          )
        }
      </Listed>
    </Panel>
  );
}
