import { Anchor, Burger, Button, Drawer, NavLink, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Notifications } from "@mantine/notifications";
import {
  IconActivity,
  IconAlertTriangle,
  IconInbox,
  IconLayoutDashboard,
  IconListDetails,
  IconLogout,
  IconPhone,
  IconRobot,
  IconTicket,
  IconUserCircle,
  IconUsers,
  type TablerIcon,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useLocation } from "react-router";

import { counted } from "../components/format";
import { ShellSlot } from "../components/ShellSlot";
import { useAdmin } from "./AdminContext";
import classes from "./AdminFrame.module.css";
import { requestsQuery, systemQuery } from "./api";

interface Section {
  to: string;
  label: string;
  icon: TablerIcon;
}

const SECTIONS: readonly Section[][] = [
  [
    { to: "/admin", label: "Overview", icon: IconLayoutDashboard },
    { to: "/admin/calls", label: "Calls", icon: IconPhone },
    { to: "/admin/codes", label: "Codes", icon: IconTicket },
    { to: "/admin/agents", label: "Agents", icon: IconRobot },
    { to: "/admin/requests", label: "Requests", icon: IconInbox },
  ],
  [
    { to: "/admin/system", label: "System", icon: IconActivity },
    { to: "/admin/audit", label: "Audit", icon: IconListDetails },
    { to: "/admin/administrators", label: "Administrators", icon: IconUsers },
    { to: "/admin/account", label: "Account", icon: IconUserCircle },
  ],
];

const PAGE = "dashboard-page";

/** The operator's frame: the sections beside the page, or behind a button where there is no room. */
export function AdminFrame({ children }: { children: ReactNode }) {
  const { me, logOut } = useAdmin();
  const { pathname } = useLocation();
  const [menu, { open, close }] = useDisclosure(false);
  return (
    <div className={classes.admin}>
      <a className="skip" href={`#${PAGE}`}>
        Skip the menu
      </a>
      <ShellSlot place="title">
        <div className={classes.brand}>
          <Burger
            opened={menu}
            onClick={open}
            hiddenFrom="md"
            size="sm"
            w={44}
            h={44}
            aria-label="Menu"
            aria-haspopup="dialog"
            aria-expanded={menu}
          />
          <Anchor component={Link} to="/admin" underline="never" c="inherit">
            <Text fw={650} fz="lg" component="span">
              Parley
            </Text>
          </Anchor>
        </div>
      </ShellSlot>
      <ShellSlot place="tools">
        <Text component="span" c="dimmed" px="xs" visibleFrom="sm" truncate maw="16rem">
          {me.name}
        </Text>
        <Button variant="subtle" h={44} px="sm" leftSection={<IconLogout size={18} aria-hidden />} onClick={logOut}>
          Log out
        </Button>
      </ShellSlot>
      <div className={classes.side}>
        <Sections />
      </div>
      <Drawer
        opened={menu}
        onClose={close}
        title="Parley"
        size="17rem"
        padding="md"
        hiddenFrom="md"
        closeButtonProps={{ "aria-label": "Close the menu", size: 44 }}
        styles={{ title: { fontWeight: 650, fontSize: "var(--mantine-font-size-lg)" } }}
      >
        <Sections chosen={close} />
      </Drawer>
      <div id={PAGE} className={classes.page} tabIndex={-1}>
        {pathname !== "/admin/account/password" && <DefaultPassword />}
        {children}
      </div>
      <Notifications position="bottom-right" autoClose={8_000} limit={3} />
    </div>
  );
}

function Sections({ chosen }: { chosen?: () => void }) {
  const { pathname } = useLocation();
  const requests = useQuery({ ...requestsQuery({ state: "open" }, 1, 1), refetchInterval: 60_000 });
  const system = useQuery({ ...systemQuery, refetchInterval: 60_000 });
  const trouble = system.data?.parts.filter(({ state }) => state === "trouble").length ?? 0;
  const open = requests.data?.pagination.total ?? 0;
  const news: Record<string, { count: number; words: string } | undefined> = {
    "/admin/requests": { count: open, words: counted(open, "open request") },
    "/admin/system": { count: trouble, words: counted(trouble, "part in trouble", "parts in trouble") },
  };
  return (
    <nav aria-label="Dashboard" className={classes.sections}>
      {SECTIONS.map((group, index) => (
        <ul key={index} className={classes.group}>
          {group.map(({ to, label, icon: Icon }) => {
            const active = pathname === to || (to !== "/admin" && pathname.startsWith(`${to}/`));
            const { count, words } = news[to] ?? { count: 0, words: "" };
            return (
              <li key={to}>
                <NavLink
                  component={Link}
                  to={to}
                  active={active}
                  aria-current={active ? "page" : undefined}
                  label={label}
                  leftSection={<Icon size={20} stroke={1.75} aria-hidden />}
                  rightSection={
                    count > 0 && (
                      <span
                        className={classes.count}
                        data-trouble={to === "/admin/system" || undefined}
                        aria-label={words}
                        role="img"
                      >
                        {count}
                      </span>
                    )
                  }
                  onClick={chosen}
                  classNames={{ root: classes.section, label: classes.sectionLabel }}
                />
              </li>
            );
          })}
        </ul>
      ))}
    </nav>
  );
}

/** The password that everybody knows is said on every page until it is gone. */
function DefaultPassword() {
  const { me } = useAdmin();
  const system = useQuery(systemQuery);
  const whose = system.data?.default_passwords ?? [];
  if (whose.length === 0) return null;
  const mine = whose.some((admin) => admin.id === me.id);
  return (
    <div className={classes.warning} role="note" aria-label="Warning">
      <IconAlertTriangle size={22} aria-hidden className={classes.sign} />
      <Text className={classes.words}>
        <b>The published password still opens this dashboard.</b>{" "}
        <Text component="span" inherit visibleFrom="sm">
          Whoever has read the manual and sits at this machine can log in
          {mine ? "." : ` as ${whose.map((admin) => admin.username).join(", ")}.`}
        </Text>
      </Text>
      <Button
        component={Link}
        to={mine ? "/admin/account/password" : "/admin/administrators"}
        variant="default"
        size="sm"
        h={40}
      >
        {mine ? "Choose another password" : "Go to the administrators"}
      </Button>
    </div>
  );
}
