import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { agentsQuery } from "../../api/queries";
import { duration, heading } from "../../components/format";
import { usageSumsQuery } from "../api";
import { minutes, number, ofBudget, spent } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Rows } from "../Rows";
import type { UsageSum } from "../types";

type Name = "calls" | "minutes" | "heard_seconds" | "input_tokens" | "output_tokens" | "characters" | "cost_usd";

interface Figure {
  label: string;
  name: Name;
  show: (value: number, unpriced: boolean) => string;
  /** The screens that have a column for it; smaller ones tell it below the agent. */
  from?: "md";
}

const FIGURES: readonly Figure[] = [
  { label: "Calls", name: "calls", show: (value) => number(value) },
  { label: "Minutes", name: "minutes", show: minutes },
  { label: "Sound heard", name: "heard_seconds", show: (seconds) => duration(seconds * 1000), from: "md" },
  { label: "Tokens in", name: "input_tokens", show: (value) => number(value), from: "md" },
  { label: "Tokens out", name: "output_tokens", show: (value) => number(value), from: "md" },
  { label: "Characters spoken", name: "characters", show: (value) => number(value), from: "md" },
  { label: "Cost", name: "cost_usd", show: (cost_usd, unpriced) => spent({ cost_usd, unpriced }) },
];

/** What a code has used since it was made, agent by agent. `budget` is what all of it may cost, in dollars. */
export function UsedInAll({ codeId, budget = null }: { codeId: string; budget?: number | null }) {
  const sums = useQuery(usageSumsQuery(codeId));
  const agents = useQuery(agentsQuery);
  const agentOf = (id: string) => agents.data?.find((agent) => agent.id === id)?.name ?? heading(id);
  return (
    <Panel title="In all" about={budget !== null && sums.data && budgetInWords(budget, sums.data)} flush>
      <Listed query={sums} what="the sums" height={120}>
        {(sums) =>
          sums.length === 0 ? (
            <NothingHere small title="Nothing has been used yet">
              What its calls use and cost is summed here.
            </NothingHere>
          ) : (
            <Rows label="In all">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Agent</Table.Th>
                  {FIGURES.map(({ label, from }) => (
                    <Table.Th key={label} data-right visibleFrom={from}>
                      {label}
                    </Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {sums.map((sum) => (
                  <SumRow key={sum.agent_type} name={agentOf(sum.agent_type)} sums={[sum]} />
                ))}
              </Table.Tbody>
              {sums.length > 1 && (
                <Table.Tfoot>
                  <SumRow name="Together" sums={sums} />
                </Table.Tfoot>
              )}
            </Rows>
          )
        }
      </Listed>
    </Panel>
  );
}

function budgetInWords(budget: number, sums: readonly UsageSum[]): string {
  const cost_usd = sums.reduce((total, sum) => total + sum.cost_usd, 0);
  const told = ofBudget({ cost_usd, unpriced: sums.some((sum) => sum.unpriced) }, budget);
  return cost_usd < budget ? told : `${told}: the code opens no more calls`;
}

function SumRow({ name, sums }: { name: string; sums: readonly UsageSum[] }) {
  const unpriced = sums.some((sum) => sum.unpriced);
  const shown = FIGURES.map((figure) => {
    const total = sums.reduce((before, sum) => before + sum[figure.name], 0);
    return { ...figure, total, value: figure.show(total, unpriced) };
  });
  const rest = shown
    .filter(({ from, total }) => from && total > 0)
    .map(({ label, value }) => `${label.toLowerCase()} ${value}`);
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={sums.length > 1 ? 650 : 400}>
        {name}
        <Text component="span" display="block" fz="xs" fw={400} c="dimmed" hiddenFrom="md">
          {heading(rest.join(", "))}
        </Text>
      </Table.Th>
      {shown.map(({ label, name, value, from }) => (
        <Table.Td
          key={label}
          {...(name === "cost_usd" ? { "data-cost": true } : { "data-right": true })}
          visibleFrom={from}
          fw={sums.length > 1 ? 650 : undefined}
        >
          {value}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}
