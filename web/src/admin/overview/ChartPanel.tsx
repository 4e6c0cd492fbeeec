import { Button, ScrollArea, Table } from "@mantine/core";
import { IconChartBar, IconTable } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";

import { Panel } from "../Panel";
import { Rows } from "../Rows";
import classes from "./ChartPanel.module.css";

export interface Column<Item> {
  label: string;
  of: (row: Item) => ReactNode;
}

interface ChartPanelProps<Item> {
  title: string;
  about?: ReactNode;
  tools?: ReactNode;
  /** One sentence on what the picture shows, for who does not see it. */
  summary: string;
  /** The same as a table: what a row is called, and its figures. */
  rows: readonly Item[];
  name: Column<Item> & { key: (row: Item) => string };
  columns: readonly Column<Item>[];
  children: ReactNode;
}

/** A picture of figures, which can be read as a table instead. */
export function ChartPanel<Item>({
  title,
  about,
  tools,
  summary,
  rows,
  name,
  columns,
  children,
}: ChartPanelProps<Item>) {
  const [asTable, setAsTable] = useState(false);
  const Icon = asTable ? IconChartBar : IconTable;
  return (
    <Panel
      title={title}
      about={about}
      flush={asTable}
      tools={
        <>
          {tools}
          <Button
            variant="subtle"
            size="sm"
            h={40}
            px="xs"
            leftSection={<Icon size={18} aria-hidden />}
            onClick={() => setAsTable(!asTable)}
            aria-label={`${title}: show as ${asTable ? "chart" : "table"}`}
          >
            {asTable ? "Chart" : "Table"}
          </Button>
        </>
      }
    >
      {asTable ? (
        <ScrollArea.Autosize mah={320} viewportProps={{ tabIndex: 0, role: "group", "aria-label": title }}>
          <Rows label={title}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{name.label}</Table.Th>
                {columns.map(({ label }) => (
                  <Table.Th key={label} data-right>
                    {label}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((row) => (
                <Table.Tr key={name.key(row)}>
                  <Table.Th scope="row" fw={400} className={classes.name}>
                    {name.of(row)}
                  </Table.Th>
                  {columns.map(({ label, of }) => (
                    <Table.Td key={label} data-right>
                      {of(row)}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Rows>
        </ScrollArea.Autosize>
      ) : (
        <figure className={classes.figure} role="img" aria-label={summary}>
          {children}
        </figure>
      )}
    </Panel>
  );
}

/** What the colours mean. */
export function Legend({ entries }: { entries: readonly { label: string; color: string }[] }) {
  return (
    <ul className={classes.legend}>
      {entries.map(({ label, color }) => (
        <li key={label}>
          <span className={classes.swatch} style={{ background: color }} aria-hidden />
          {label}
        </li>
      ))}
    </ul>
  );
}
