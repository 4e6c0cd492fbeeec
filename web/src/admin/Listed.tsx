import { Skeleton, Stack, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { LoadFault } from "../components/LoadFault";
import classes from "./Listed.module.css";

interface ListedProps<Data> {
  query: UseQueryResult<Data>;
  /** What it is, as in "Could not load the calls". */
  what: string;
  /** How high it will be, so that nothing jumps. */
  height?: number;
  children: (data: Data) => ReactNode;
}

/** What is fetched into a panel, or that it is on its way, or that it could not be had. */
export function Listed<Data>({ query, what, height = 220, children }: ListedProps<Data>) {
  if (query.data !== undefined) return <div aria-busy={query.isPlaceholderData}>{children(query.data)}</div>;
  if (query.isError) {
    return (
      <div className={classes.padded}>
        <LoadFault what={what} retry={query.refetch} error={query.error} />
      </div>
    );
  }
  return (
    <Stack gap="sm" className={classes.padded} role="status" aria-label={`Loading ${what}`} h={height}>
      {Array.from({ length: Math.max(1, Math.floor(height / 44)) }, (_, row) => (
        <Skeleton key={row} height={20} />
      ))}
    </Stack>
  );
}

interface NothingProps {
  title: string;
  /** Whether it stands where there is little room. */
  small?: boolean;
  action?: ReactNode;
  children?: ReactNode;
}

/** Says that there is nothing, and what to do about it. */
export function NothingHere({ title, small, children, action }: NothingProps) {
  return (
    <Stack gap={4} align="center" className={classes.nothing} data-small={small || undefined}>
      <Text fw={600} ta="center">
        {title}
      </Text>
      {children && (
        <Text fz="sm" c="dimmed" ta="center" maw="34rem">
          {children}
        </Text>
      )}
      {action && <div className={classes.action}>{action}</div>}
    </Stack>
  );
}
