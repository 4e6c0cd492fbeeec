import { Button, Stack, Text } from "@mantine/core";
import { useInterval } from "@mantine/hooks";
import { useEffect, useState } from "react";

import { waitInWords } from "../api/refusals";
import { Page, PageTitle } from "../components/Page";
import type { Failure, Remedy } from "./failures";

const LABELS: Record<Remedy, string> = {
  retry: "Try again",
  "call-again": "Call again",
  "type-instead": "Type instead",
  "choose-agent": "Choose another assistant",
  "enter-code": "Enter a code",
  "log-in": "Log in again",
};

/** What went wrong, and what to do: the first remedy is the one to try first. */
export function CallFailure({ failure, act }: { failure: Failure; act: (remedy: Remedy) => void }) {
  const wait = useCountdown(failure.retryAfterS ?? 0);
  return (
    <Page>
      <div role="alert">
        <PageTitle lead={failure.advice}>{failure.title}</PageTitle>
      </div>
      {wait > 0 && (
        <Text fz="lg" fw={600} className="figures">
          You can try again in {waitInWords(wait)}.
        </Text>
      )}
      <Stack gap="sm" align="stretch">
        {failure.remedies.map((remedy, index) => {
          const waiting = remedy === "retry" && wait > 0;
          return (
            <Button
              key={remedy}
              size="lg"
              variant={index === 0 ? "filled" : "default"}
              disabled={waiting}
              onClick={() => act(remedy)}
            >
              {LABELS[remedy]}
            </Button>
          );
        })}
      </Stack>
    </Page>
  );
}

function useCountdown(seconds: number): number {
  const [left, setLeft] = useState(seconds);
  const { start, stop } = useInterval(() => setLeft((value) => Math.max(0, value - 1)), 1000);
  useEffect(() => {
    start();
    return stop;
  }, [start, stop]);
  return left;
}
