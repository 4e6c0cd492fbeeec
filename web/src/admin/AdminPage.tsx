import { Anchor, Group, Stack } from "@mantine/core";
import { IconChevronLeft } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "react-router";

import { PageTitle } from "../components/Page";
import classes from "./AdminPage.module.css";

interface AdminPageProps {
  title: string;
  lead?: ReactNode;
  /** The list that this belongs to. */
  back?: { to: string; label: string };
  /** What can be done here, or how it is looked at. */
  tools?: ReactNode;
  children?: ReactNode;
}

export function AdminPage({ title, lead, back, tools, children }: AdminPageProps) {
  return (
    <Stack gap="lg">
      <div>
        {back && (
          <Anchor component={Link} to={back.to} fz="sm" c="dimmed" display="inline-flex" py={6} mb={2}>
            <IconChevronLeft size={20} aria-hidden />
            {back.label}
          </Anchor>
        )}
        <Group justify="space-between" align="flex-start" gap="md">
          <PageTitle lead={lead}>{title}</PageTitle>
          {tools && (
            <Group gap="xs" className={classes.tools}>
              {tools}
            </Group>
          )}
        </Group>
      </div>
      {children}
    </Stack>
  );
}
