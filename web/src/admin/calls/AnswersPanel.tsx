import { Progress, Table } from "@mantine/core";

import { duration } from "../../components/format";
import { span, usd } from "../figures";
import { ChartPanel, Legend } from "../overview/ChartPanel";
import { Rows } from "../Rows";
import { STAGES, type Answer } from "../types";
import { EAR, STAGE_WORDS } from "../words";
import classes from "./AnswersPanel.module.css";
import { answerId, stagesInWords } from "./timeline";

/** What the caller's page measured, beside the server's stages. */
const CALLER_SIDE = [
  { label: EAR, of: (answer: Answer) => known(extra(answer)) },
  { label: "Round trip", of: ({ caller_side }: Answer) => known(caller_side?.rtt_ms) },
  { label: "Jitter buffer", of: ({ caller_side }: Answer) => known(caller_side?.jitter_buffer_ms) },
];

const extra = ({ caller_side }: Answer) => caller_side?.extra_ms ?? null;
const toTheEar = (answer: Answer) => answer.total_ms + (extra(answer) ?? 0);
const known = (ms: number | null | undefined) => (ms === null || ms === undefined ? "–" : span(ms));
const plus = (ms: number | null) => (ms === null ? "" : `+ ${span(ms)}`);

interface AnswersProps {
  answers: readonly Answer[];
  start: number;
  chosen: string | null;
}

/** What each answer's wait was made of. */
export function AnswersPanel({ answers, start, chosen }: AnswersProps) {
  if (answers.length === 0) return null;
  const longest = Math.max(...answers.map(toTheEar), 1);
  const told = answers.some(({ caller_side }) => caller_side);
  const used = STAGES.filter((stage) => answers.some(({ stages }) => (stages[stage] ?? 0) > 0));
  const priced = answers.filter(({ cost_usd }) => cost_usd !== null);
  const charged = priced.some(({ cost_usd }) => cost_usd) || (priced.length > 0 && priced.length < answers.length);
  const cost = ({ cost_usd }: Answer) => (cost_usd === null ? "unknown" : usd(cost_usd));
  const at = (answer: Answer) => duration(Date.parse(answer.at) - start);
  const slowest = answers.reduce((a, b) => (b.total_ms > a.total_ms ? b : a), answers[0]!);
  return (
    <ChartPanel
      title="Answers"
      about={`From the caller’s last sound to the agent’s first${told ? ", and on to the caller’s ear" : ""}.${charged ? " With what was used from then to the next turn." : ""}`}
      summary={`${answers.length} answers by stage. The slowest took ${span(slowest.total_ms)}: ${stagesInWords(slowest.stages)}.`}
      rows={answers}
      name={{ label: "At", key: ({ seq }) => String(seq), of: at }}
      columns={[
        { label: "Total", of: ({ total_ms }) => span(total_ms) },
        ...(charged ? [{ label: "Cost", of: cost }] : []),
        ...used.map((stage) => ({ label: STAGE_WORDS[stage], of: ({ stages }: Answer) => span(stages[stage] ?? 0) })),
        ...(told ? CALLER_SIDE : []),
      ]}
    >
      <Legend
        entries={[
          ...used.map((stage) => ({ label: STAGE_WORDS[stage], color: `var(--stage-${stage})` })),
          ...(told ? [{ label: EAR, color: "var(--stage-ear)" }] : []),
        ]}
      />
      <Rows label="Answers" className={`${classes.table} figures`}>
        <Table.Tbody>
          {answers.map((answer) => (
            <Table.Tr key={answer.seq} data-chosen={answerId(answer.seq) === chosen || undefined}>
              <Table.Td className={classes.at}>{answer.greeting ? "Greeting" : at(answer)}</Table.Td>
              <Table.Td>
                <Progress.Root
                  size={16}
                  radius="sm"
                  bg="none"
                  style={{ width: `${Math.max(2, (toTheEar(answer) / longest) * 100)}%` }}
                >
                  {used.map((stage) => (
                    <Progress.Section
                      key={stage}
                      value={((answer.stages[stage] ?? 0) / Math.max(1, toTheEar(answer))) * 100}
                      color={`var(--stage-${stage})`}
                      withAria={false}
                      title={`${STAGE_WORDS[stage]} ${span(answer.stages[stage] ?? 0)}`}
                    />
                  ))}
                  {told && (
                    <Progress.Section
                      value={((extra(answer) ?? 0) / Math.max(1, toTheEar(answer))) * 100}
                      color="var(--stage-ear)"
                      withAria={false}
                      title={`${EAR} ${known(extra(answer))}`}
                    />
                  )}
                </Progress.Root>
              </Table.Td>
              <Table.Td className={classes.total}>{span(answer.total_ms)}</Table.Td>
              {told && (
                <Table.Td visibleFrom="xs" className={classes.extra}>
                  {plus(extra(answer))}
                </Table.Td>
              )}
              {charged && <Table.Td className={classes.cost}>{cost(answer)}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Rows>
    </ChartPanel>
  );
}
