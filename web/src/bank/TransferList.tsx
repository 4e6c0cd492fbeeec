import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "react-router";

import { bankDayAndTime } from "../components/bank-time";
import { money } from "../components/format";
import classes from "./Lines.module.css";
import type { Transfer } from "./types";
import { recipient, stateInWords } from "./words";

/** Transfers and bill payments, each with what became of it. */
export function TransferList({ transfers }: { transfers: readonly Transfer[] }) {
  return (
    <Table verticalSpacing={10} horizontalSpacing={0} className={classes.table}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>To</Table.Th>
          <Table.Th ta="right">Amount</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody className="figures">
        {transfers.map((transfer) => (
          <Table.Tr key={transfer.id}>
            <Table.Td className={classes.what}>
              <Anchor component={Link} to={`/bank/transfers/${transfer.id}`}>
                {recipient(transfer)}
              </Anchor>
              <Text component="span" display="block" fz="sm" c="dimmed">
                {bankDayAndTime(transfer.posted_at ?? transfer.created_at)}
              </Text>
            </Table.Td>
            <Table.Td ta="right">
              {money(transfer.amount_minor, transfer.currency)}
              <Text component="span" display="block" fz="sm" c="dimmed">
                {stateInWords(transfer)}
              </Text>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
