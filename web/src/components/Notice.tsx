import { Alert, Group } from "@mantine/core";
import { IconAlertTriangle, IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface NoticeProps {
  title?: string;
  /** A trouble is told at once to readers of the screen, an information when they are ready for it. */
  trouble?: boolean;
  actions?: ReactNode;
  children: ReactNode;
}

export function Notice({ title, trouble = false, actions, children }: NoticeProps) {
  return (
    <Alert
      variant="light"
      color={trouble ? "red" : "harbour"}
      icon={trouble ? <IconAlertTriangle /> : <IconInfoCircle />}
      title={title}
      role={trouble ? "alert" : "note"}
      styles={{
        root: trouble
          ? { backgroundColor: "var(--parley-trouble)", borderColor: "var(--mantine-color-error)" }
          : { backgroundColor: "var(--parley-caller)", borderColor: "var(--parley-line)" },
        title: { color: "var(--mantine-color-text)", fontSize: "var(--mantine-font-size-md)" },
        message: { color: "var(--mantine-color-text)", fontSize: "var(--mantine-font-size-md)" },
      }}
    >
      {children}
      {actions && (
        <Group gap="sm" mt="sm">
          {actions}
        </Group>
      )}
    </Alert>
  );
}
