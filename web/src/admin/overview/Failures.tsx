import { Anchor, Table, Text } from "@mantine/core";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Link } from "react-router";

import { agentsQuery } from "../../api/queries";
import { heading } from "../../components/format";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Row, Rows } from "../Rows";
import type { Overview } from "../types";
import { When } from "../When";
import { endInWords } from "../words";

/** The calls that went wrong last, each a step away. */
export function Failures({ overview, within }: { overview: UseQueryResult<Overview>; within: string }) {
  const agents = useQuery(agentsQuery);
  const nameOf = (id: string) => agents.data?.find((agent) => agent.id === id)?.name ?? heading(id);
  return (
    <Panel
      title="What failed lately"
      flush
      tools={
        <Anchor component={Link} to="/admin/calls?outcome=failed" fz="sm" py={10}>
          All failed calls
        </Anchor>
      }
    >
      <Listed query={overview} what="the failed calls" height={300}>
        {({ failures }) =>
          failures.length === 0 ? (
            <NothingHere title="Nothing has failed">Every call went as it should, {within}.</NothingHere>
          ) : (
            <Rows label="Failed calls">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>What happened</Table.Th>
                  <Table.Th data-right>When</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {failures.map(({ call_id, agent_type, at, end_reason }) => {
                  const to = `/admin/calls/${encodeURIComponent(call_id)}`;
                  return (
                    <Row key={call_id} to={to}>
                      <Table.Td>
                        <Anchor component={Link} to={to}>
                          {endInWords(end_reason)}
                        </Anchor>
                        <Text component="span" fz="sm" c="dimmed" ml={8}>
                          {nameOf(agent_type)}
                        </Text>
                      </Table.Td>
                      <Table.Td data-right>
                        <When at={at} />
                      </Table.Td>
                    </Row>
                  );
                })}
              </Table.Tbody>
            </Rows>
          )
        }
      </Listed>
    </Panel>
  );
}
