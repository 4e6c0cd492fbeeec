import { EmptyState, Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { LoadFault } from "../components/LoadFault";

interface ListingProps<Data> {
  query: UseQueryResult<Data>;
  /** What it lists, as in "Could not load your payees". */
  what: string;
  /** Rows whose place is kept while they load. */
  rows?: number;
  rowHeight?: number;
  children: (data: Data) => ReactNode;
}

/** What is fetched, or that it is on its way, or that it could not be had. What is there stays while it is renewed. */
export function Listing<Data>({ query, what, rows = 3, rowHeight = 72, children }: ListingProps<Data>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <LoadFault what={what} retry={query.refetch} error={query.error} />;
  return (
    <Stack gap="sm" role="status" aria-label={`Loading ${what}`}>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={rowHeight} radius="lg" />
      ))}
    </Stack>
  );
}

/** Says that there is nothing, and what to do about it. */
export function Nothing({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <EmptyState title={title} description={children} py="xl">
      {action && <EmptyState.Actions>{action}</EmptyState.Actions>}
    </EmptyState>
  );
}
