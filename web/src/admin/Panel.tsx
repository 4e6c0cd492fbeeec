import { Card, Group, Text, Title } from "@mantine/core";
import { useId, type ReactNode } from "react";

import classes from "./Panel.module.css";

interface PanelProps {
  title: string;
  /** One line on what it shows. */
  about?: ReactNode;
  tools?: ReactNode;
  /** Whether what is inside reaches from edge to edge, as tables do. */
  flush?: boolean;
  className?: string;
  children: ReactNode;
}

/** A part of a page with its heading. */
export function Panel({ title, about, tools, flush = false, className, children }: PanelProps) {
  const id = useId();
  return (
    <Card
      withBorder
      radius="lg"
      padding={0}
      component="section"
      aria-labelledby={id}
      className={[classes.panel, className].filter(Boolean).join(" ")}
    >
      <Group justify="space-between" gap="xs" className={classes.head}>
        <div className={classes.title}>
          <Title order={2} id={id} fz="md" fw={650}>
            {title}
          </Title>
          {about && (
            <Text fz="sm" c="dimmed">
              {about}
            </Text>
          )}
        </div>
        {tools && <Group gap="xs">{tools}</Group>}
      </Group>
      <div className={classes.body} data-flush={flush || undefined}>
        {children}
      </div>
    </Card>
  );
}
