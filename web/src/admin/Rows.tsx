import { Table, type TableProps } from "@mantine/core";
import type { MouseEvent, ReactNode } from "react";
import { useNavigate } from "react-router";

import classes from "./Rows.module.css";

/** A list of things as a dense table, from edge to edge of its panel. */
export function Rows({ label, children, ...rest }: TableProps & { label: string }) {
  return (
    <Table aria-label={label} verticalSpacing={0} horizontalSpacing={0} className={`${classes.rows} figures`} {...rest}>
      {children}
    </Table>
  );
}

/** A row that opens something: a link in it is for the keyboard, the rest of it for the pointer. */
export function Row({
  to,
  children,
  ...rest
}: { to?: string; children: ReactNode } & Record<`data-${string}`, unknown>) {
  const navigate = useNavigate();
  function open(event: MouseEvent<HTMLElement>) {
    if (!to || event.defaultPrevented || (event.target as Element).closest("a, button, input, [role=menuitem]")) return;
    if (window.getSelection()?.toString()) return; // Words are being taken out of it.
    if (event.metaKey || event.ctrlKey) window.open(to, "_blank", "noopener");
    else void navigate(to);
  }
  return (
    <Table.Tr onClick={open} data-opens={to !== undefined || undefined} {...rest}>
      {children}
    </Table.Tr>
  );
}
