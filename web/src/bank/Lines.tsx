import { Table, Text } from "@mantine/core";

import { bankDay, isElsewhere } from "../components/bank-time";
import { grouped, heading, money } from "../components/format";
import classes from "./Lines.module.css";
import type { Account, LedgerLine } from "./types";

/** Lines of a statement; on a phone the smaller columns stand below the larger. */
export function Lines({ lines, accounts }: { lines: readonly LedgerLine[]; accounts?: readonly Account[] }) {
  const names = new Map(accounts?.map(({ id, name }) => [id, name.replace(/ account$/, "")]));
  const several = new Set(lines.map(({ account_id }) => account_id)).size > 1;
  const detailOf = (line: LedgerLine) =>
    [several && names.get(line.account_id), line.category && heading(line.category)].filter(Boolean).join(" · ");
  return (
    <>
      <Table verticalSpacing={10} horizontalSpacing={0} className={classes.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th className={classes.date} visibleFrom="sm">
              Date
            </Table.Th>
            <Table.Th>What for</Table.Th>
            <Table.Th ta="right">Amount</Table.Th>
            <Table.Th ta="right" className={classes.balance} visibleFrom="sm">
              Balance
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody className="figures">
          {lines.map((line) => (
            <Table.Tr key={`${line.account_id} ${line.entry_id}`}>
              <Table.Td className={classes.date} visibleFrom="sm">
                {bankDay(line.at)}
              </Table.Td>
              <Table.Td className={classes.what}>
                {grouped(line.description)}
                <Text component="span" display="block" fz="sm" c="dimmed" hiddenFrom="sm">
                  {bankDay(line.at)}
                </Text>
                <Text component="span" display="block" fz="sm" c="dimmed">
                  {detailOf(line)}
                </Text>
              </Table.Td>
              <Table.Td ta="right" className={classes.amount} data-in={line.amount_minor > 0 || undefined}>
                {money(line.amount_minor, line.currency, "always")}
                <Text component="span" display="block" fz="sm" c="dimmed" hiddenFrom="sm">
                  leaves {money(line.balance_after_minor, line.currency)}
                </Text>
              </Table.Td>
              <Table.Td ta="right" className={classes.balance} visibleFrom="sm">
                {money(line.balance_after_minor, line.currency)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {isElsewhere() && (
        <Text c="dimmed" fz="sm" mt="xs">
          Days are counted in India, where the bank is.
        </Text>
      )}
    </>
  );
}
