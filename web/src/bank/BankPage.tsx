import { Group, Stack } from "@mantine/core";
import type { ReactNode } from "react";

import { PageTitle } from "../components/Page";

interface BankPageProps {
  title: string;
  lead?: ReactNode;
  /** The one thing to do here. */
  action?: ReactNode;
  /** What may appear by itself above everything else. */
  news?: ReactNode;
  /** Forms and single things are read and filled in easier when they are narrow. */
  narrow?: boolean;
  children: ReactNode;
}

export function BankPage({ title, lead, action, news, narrow = false, children }: BankPageProps) {
  return (
    <Stack gap="lg" maw={narrow ? 560 : undefined}>
      <div>
        <Group justify="space-between" align="flex-start" gap="md">
          <PageTitle lead={lead}>{title}</PageTitle>
          {action}
        </Group>
        {news}
      </div>
      {children}
    </Stack>
  );
}
