import { Button } from "@mantine/core";

import { Notice } from "./Notice";

/** The error state of anything that is fetched. */
export function LoadFault({ what, retry }: { what: string; retry: () => unknown }) {
  return (
    <Notice
      trouble
      title={`Could not load ${what}`}
      actions={
        <Button variant="default" onClick={() => void retry()}>
          Try again
        </Button>
      }
    >
      Check that you are online, then try again.
    </Notice>
  );
}
