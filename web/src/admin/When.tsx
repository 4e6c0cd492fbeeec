import { Tooltip } from "@mantine/core";
import type { ReactElement, ReactNode } from "react";

import { exact, relative } from "./moment";
import { useNow } from "./useNow";

const MOVES_MS = 30_000;

/** A moment: how long ago while that is easier to grasp, and exactly on demand. `stop`: also for the Tab key. */
export function When({ at, stop = false }: { at: string; stop?: boolean }) {
  const now = useNow(MOVES_MS);
  return (
    <Tooltip label={exact(at)}>
      <time dateTime={at} tabIndex={stop ? 0 : undefined}>
        {relative(at, now)}
      </time>
    </Tooltip>
  );
}

/** The same around something that takes the focus by itself, such as a link. */
export function Exact({ at, children }: { at: string; children: (time: ReactNode) => ReactElement }) {
  const now = useNow(MOVES_MS);
  return <Tooltip label={exact(at)}>{children(<time dateTime={at}>{relative(at, now)}</time>)}</Tooltip>;
}
