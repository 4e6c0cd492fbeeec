import {
  ActionIcon,
  Anchor,
  Center,
  Group,
  Loader,
  Text,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { IconMoon, IconSun } from "@tabler/icons-react";
import { Suspense, useMemo, useState } from "react";
import { Link, Outlet, useLocation } from "react-router";

import { ShellSlots } from "../components/ShellSlot";
import { Mark } from "../components/Mark";
import { PageBoundary } from "./FaultPages";
import classes from "./Shell.module.css";

/** The frame of every page: the header, into which pages put what is theirs, and the place for the page itself. */
export function Shell() {
  const { pathname } = useLocation();
  const inCall = pathname.startsWith("/call/");
  const [title, setTitle] = useState<HTMLElement | null>(null);
  const [tools, setTools] = useState<HTMLElement | null>(null);
  const [dock, setDock] = useState<HTMLElement | null>(null);
  const slots = useMemo(() => ({ title, tools, dock }), [title, tools, dock]);
  return (
    <ShellSlots value={slots}>
      <div className={classes.shell} data-in-call={inCall || undefined}>
        <a className="skip" href="#main">
          Skip to the content
        </a>
        <header className={classes.header}>
          <Group gap={10} wrap="nowrap" className={classes.title}>
            <Mark className={classes.mark} />
            <div ref={setTitle} className={classes.slot} />
            <Anchor component={Link} to="/agents" underline="never" c="inherit" className={classes.name}>
              <Text fw={650} fz="lg" component="span">
                Parley
              </Text>
            </Anchor>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <div ref={setTools} className={classes.tools} />
            <SchemeToggle />
          </Group>
        </header>
        <main id="main" className={classes.main}>
          <PageBoundary resetKey={pathname}>
            <Suspense fallback={<PageLoading />}>
              <Outlet />
            </Suspense>
          </PageBoundary>
        </main>
        <div ref={setDock} className={classes.dock} />
      </div>
    </ShellSlots>
  );
}

function PageLoading() {
  return (
    <Center h="40dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const label = dark ? "Light colours" : "Dark colours";
  return (
    <Tooltip label={label}>
      <ActionIcon
        className={classes.scheme}
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
