import { Button } from "@mantine/core";

import { ApiError } from "../api/errors";
import { Notice } from "./Notice";

/** The error state of anything that is fetched. */
export function LoadFault({ what, retry, error }: { what: string; retry: () => unknown; error?: unknown }) {
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
      {reason(error)}
    </Notice>
  );
}

function reason(error: unknown): string {
  if (error instanceof ApiError && error.status >= 500)
    return "Something went wrong on our side. Try again in a moment.";
  if (error instanceof ApiError && error.status >= 400 && error.message) return error.message;
  return "Check that you are online, then try again.";
}
