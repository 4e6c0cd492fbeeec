import { Progress, Table } from "@mantine/core";

import { duration } from "../../components/format";
import { span } from "../figures";
import { ChartPanel, Legend } from "../overview/ChartPanel";
import { Rows } from "../Rows";
import { STAGES, type Answer } from "../types";
import { STAGE_WORDS } from "../words";
import classes from "./AnswersPanel.module.css";
import { answerId, stagesInWords } from "./timeline";

interface AnswersProps {
  answers: readonly Answer[];
  start: number;
  chosen: string | null;
}

/** What each answer's wait was made of. */
export function AnswersPanel({ answers, start, chosen }: AnswersProps) {
  if (answers.length === 0) return null;
  const longest = Math.max(...answers.map(({ total_ms }) => total_ms), 1);
  const used = STAGES.filter((stage) => answers.some(({ stages }) => (stages[stage] ?? 0) > 0));
  const at = (answer: Answer) => duration(Date.parse(answer.at) - start);
  const slowest = answers.reduce((a, b) => (b.total_ms > a.total_ms ? b : a), answers[0]!);
  return (
    <ChartPanel
      title="Answers"
      about="From the caller’s last sound to the agent’s first."
      summary={`${answers.length} answers by stage. The slowest took ${span(slowest.total_ms)}: ${stagesInWords(slowest.stages)}.`}
      rows={answers}
      name={{ label: "At", key: ({ seq }) => String(seq), of: at }}
      columns={[
        { label: "Total", of: ({ total_ms }) => span(total_ms) },
        ...used.map((stage) => ({ label: STAGE_WORDS[stage], of: ({ stages }: Answer) => span(stages[stage] ?? 0) })),
      ]}
    >
      <Legend entries={used.map((stage) => ({ label: STAGE_WORDS[stage], color: `var(--stage-${stage})` }))} />
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
                  style={{ width: `${Math.max(2, (answer.total_ms / longest) * 100)}%` }}
                >
                  {used.map((stage) => (
                    <Progress.Section
                      key={stage}
                      value={((answer.stages[stage] ?? 0) / Math.max(1, answer.total_ms)) * 100}
                      color={`var(--stage-${stage})`}
                      withAria={false}
                      title={`${STAGE_WORDS[stage]} ${span(answer.stages[stage] ?? 0)}`}
                    />
                  ))}
                </Progress.Root>
              </Table.Td>
              <Table.Td className={classes.total}>{span(answer.total_ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Rows>
    </ChartPanel>
  );
}
