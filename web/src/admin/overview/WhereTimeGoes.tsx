import { Progress, Table } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";

import { percent, span } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Rows } from "../Rows";
import type { Overview } from "../types";
import { stageInWords } from "../words";
import classes from "./WhereTimeGoes.module.css";

/** The mean answer, taken apart by stage. */
export function WhereTimeGoes({ overview, within }: { overview: UseQueryResult<Overview>; within: string }) {
  const stages = overview.data?.stages ?? [];
  const total = stages.reduce((sum, { mean_ms }) => sum + mean_ms, 0);
  return (
    <Panel
      title="Where the milliseconds go"
      about={total > 0 ? `The mean answer takes ${span(total)}, ${within}` : undefined}
    >
      <Listed query={overview} what="the stages" height={300}>
        {() =>
          total === 0 ? (
            <NothingHere title="No answer was timed yet">
              Only spoken turns are timed: from the first on, each stage’s share of the wait stands here.
            </NothingHere>
          ) : (
            <div className={classes.stages}>
              <Progress.Root size={20} radius="sm" aria-hidden>
                {stages.map(({ key, mean_ms }) => (
                  <Progress.Section
                    key={key}
                    value={(mean_ms / total) * 100}
                    color={`var(--stage-${key})`}
                    withAria={false}
                    className={classes.section}
                  />
                ))}
              </Progress.Root>
              <Rows label="Stages of the mean answer" className={`${classes.table} figures`}>
                <Table.Tbody>
                  {stages.map(({ key, label, mean_ms }) => (
                    <Table.Tr key={key}>
                      <Table.Th scope="row" fw={400}>
                        <span className={classes.swatch} style={{ background: `var(--stage-${key})` }} aria-hidden />
                        {stageInWords(key) ?? label}
                      </Table.Th>
                      <Table.Td>{span(mean_ms)}</Table.Td>
                      <Table.Td>{percent(mean_ms / total)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Rows>
            </div>
          )
        }
      </Listed>
    </Panel>
  );
}
