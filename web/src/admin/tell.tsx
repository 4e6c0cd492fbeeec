import { Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";

import { refusalInWords } from "../api/refusals";

/** Say what was done, at the edge of the page; it can be taken back while that is shown. */
export function tell(words: string, undo?: () => void): void {
  const id = notifications.show({
    message: (
      <Group justify="space-between" gap="sm" wrap="nowrap">
        <Text fz="md">{words}</Text>
        {undo && (
          <Button
            variant="default"
            size="sm"
            h={40}
            flex="none"
            onClick={() => {
              notifications.hide(id);
              undo();
            }}
          >
            Undo
          </Button>
        )}
      </Group>
    ),
    autoClose: undo ? 12_000 : 6_000,
    closeButtonProps: { "aria-label": "Close", size: 40 },
  });
}

/** Say why something was not done. */
export function tellTrouble(what: string, error: unknown): void {
  notifications.show({
    title: what,
    message: refusalInWords(error),
    color: "red",
    autoClose: 12_000,
    closeButtonProps: { "aria-label": "Close", size: 40 },
  });
}
