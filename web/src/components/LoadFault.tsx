import { Button } from "@mantine/core";

import { refusalInWords } from "../api/refusals";
import { Notice } from "./Notice";

/** The error state of anything that is fetched. */
export function LoadFault({ what, retry, error }: { what: string; retry: () => unknown; error: unknown }) {
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
      {refusalInWords(error)}
    </Notice>
  );
}
