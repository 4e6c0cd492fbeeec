import { ActionIcon, Anchor, Group, Text, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconMoon, IconSun } from "@tabler/icons-react";
import { Link, Outlet, useMatch } from "react-router";

import classes from "./Shell.module.css";

/** The frame of every page: name, the one setting, and the place for the page itself. */
export function Shell() {
  const inCall = useMatch("/call/:agentId");
  return (
    <div className={inCall ? `${classes.shell} ${classes.call}` : classes.shell}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className={classes.header}>
        <Group justify="space-between" h="100%" px="md" wrap="nowrap">
          {inCall ? <Wordmark /> : (
            <Anchor component={Link} to="/agents" underline="never" c="inherit" aria-label="Parley, choose an assistant">
              <Wordmark />
            </Anchor>
          )}
          <Group gap="xs" wrap="nowrap">
            <div id="header-tools" />
            <SchemeToggle />
          </Group>
        </Group>
      </header>
      <main id="main" className={classes.main}>
        <Outlet />
      </main>
    </div>
  );
}

function Wordmark() {
  return (
    <Group gap={10} wrap="nowrap">
      <img src="/favicon.svg" alt="" width={28} height={28} />
      <Text fw={650} fz="lg" component="span">
        Parley
      </Text>
    </Group>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const label = dark ? "Light colours" : "Dark colours";
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        c="dimmed"
        size={44}
        aria-label={label}
        onClick={() => setColorScheme(dark ? "light" : "dark")}
      >
        {dark ? <IconSun size={20} /> : <IconMoon size={20} />}
      </ActionIcon>
    </Tooltip>
  );
}
