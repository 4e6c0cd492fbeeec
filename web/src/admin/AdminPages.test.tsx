import { MantineProvider } from "@mantine/core";
import { QueryClientProvider, type QueryClient } from "@tanstack/react-query";
import { act, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { MemoryRouter, Route, Routes, useLocation } from "react-router";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createQueryClient, meQuery } from "../api/queries";
import { session, type LoginState } from "../api/session";
import { ShellSlots } from "../components/ShellSlot";
import { refusal, serve } from "../testing/server";
import AdminPages from "./AdminPages";
import { agents, me, pageOf, system } from "./testing";

function Site() {
  const [tools, setTools] = useState<HTMLElement | null>(null);
  return (
    <ShellSlots value={{ title: null, tools, dock: null }}>
      <div ref={setTools} />
      <Routes>
        <Route path="admin/*" element={<AdminPages />} />
        <Route path="*" element={<Elsewhere />} />
      </Routes>
    </ShellSlots>
  );
}

function Elsewhere() {
  const location = useLocation();
  const { from = "nowhere", reason } = (location.state as LoginState | null) ?? {};
  return (
    <p>
      At {location.pathname}, from {from}
      {reason && `, ${reason}`}
    </p>
  );
}

let queryClient: QueryClient;

function open(address: string, replies: Parameters<typeof serve>[0] = {}) {
  const asked = serve({
    "GET /api/v1/me": [{ body: me }],
    "GET /api/v1/system": [{ body: system }],
    "GET /api/v1/requests": [{ body: { data: [], pagination: { page: 1, per_page: 1, total: 3, pages: 3 } } }],
    "GET /api/v1/me/sessions": [{ body: { data: [] } }],
    "GET /api/v1/admins": [pageOf()],
    "GET /api/agents/list": [{ body: agents }],
    "POST /api/v1/auth/logout": [{ status: 204 }],
    ...replies,
  });
  queryClient = createQueryClient();
  render(
    <MantineProvider>
      <QueryClientProvider client={queryClient}>
        <MemoryRouter initialEntries={[address]}>
          <Site />
        </MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return asked;
}

beforeEach(() => session.begin("admin"));
afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
});

test("an administrator finds every section, the one that is open marked, and what waits beside its name", async () => {
  open("/admin/account");
  await screen.findByRole("heading", { level: 1, name: "Account" });
  const nav = screen.getByRole("navigation", { name: "Dashboard" });
  expect(
    within(nav)
      .getAllByRole("link")
      .map((link) => link.getAttribute("href")),
  ).toEqual(
    ["", "/calls", "/codes", "/agents", "/requests", "/system", "/audit", "/administrators", "/account"].map(
      (path) => `/admin${path}`,
    ),
  );
  const open_now = within(nav).getAllByRole("link", { current: "page" });
  expect(open_now.map((link) => link.textContent)).toEqual(["Account"]);
  expect(await within(nav).findByRole("img", { name: "3 open requests" })).toBeTruthy();
  expect(session.kind).toBe("admin");
});

test("the published password is warned of, except where it is changed", async () => {
  open("/admin/account", {
    "GET /api/v1/system": [{ body: { ...system, default_passwords: [{ id: "usr_1", username: "cawadmin" }] } }],
  });
  await screen.findByText(/published password still opens/);
  await userEvent.click(screen.getByRole("link", { name: "Choose another password" }));
  await screen.findByRole("heading", { name: "Change your password" });
  expect(screen.queryByText(/published password still opens/)).toBeNull();
  expect(screen.getByRole("link", { name: "Cancel" }).getAttribute("href")).toBe("/admin/account");
});

test("logging out is one click away, and leads to the dashboard's door", async () => {
  const asked = open("/admin/system");
  await userEvent.click(await screen.findByRole("button", { name: "Log out" }));
  await screen.findByText("At /login, from /admin, left");
  expect(asked.at(-1)?.path).toBe("/api/v1/auth/logout");
  expect(session.kind).toBeNull();
});

test.each([
  ["otp", "with a code", "Go to the assistants", "/agents"],
  ["user", "as a customer", "Go to your accounts", "/bank/accounts"],
])("a %s is told that the pages are not for them, and asks for nothing of theirs", async (role, how, link, to) => {
  const asked = open("/admin/calls", { "GET /api/v1/me": [{ body: { ...me, role } }] });
  await screen.findByRole("heading", { name: "This page is for administrators" });
  expect(screen.getByText(new RegExp(how))).toBeTruthy();
  expect(screen.getByRole("link", { name: link }).getAttribute("href")).toBe(to);
  expect(asked.map(({ path }) => path)).toEqual(["/api/v1/me"]);
});

test("who is not logged in comes back to the page asked for, with what was chosen on it", async () => {
  const asked = open("/admin/calls?outcome=failed", { "GET /api/v1/me": [refusal(401, "unauthorized")] });
  await screen.findByText("At /login, from /admin/calls?outcome=failed, expired");
  expect(asked.map(({ path }) => path)).not.toContain("/api/v1/auth/refresh-token");
});

test("a newcomer is led to the door without a question that could but be refused", async () => {
  session.end();
  const asked = open("/admin/calls?outcome=failed");
  await screen.findByText("At /login, from /admin/calls?outcome=failed");
  expect(asked).toEqual([]);
});

test("who was logged out by another tab is told that the session has ended", async () => {
  open("/admin/account", {
    "GET /api/v1/me": [{ body: me }, refusal(401, "unauthorized")],
    "POST /api/v1/auth/refresh-token": [refusal(401, "refresh_refused")],
  });
  await screen.findByRole("heading", { level: 1, name: "Account" });
  session.end();
  await act(() => queryClient.invalidateQueries(meQuery));
  await screen.findByText("At /login, from /admin/account, expired");
});

test("whoever has a password that was given out chooses one of their own first", async () => {
  open("/admin", { "GET /api/v1/me": [refusal(403, "password_change_required")] });
  await screen.findByRole("heading", { name: "Choose a password of your own" });
  await userEvent.click(screen.getByRole("button", { name: "Log out" }));
  await screen.findByText("At /login, from /admin, left");
});

test("an address that leads nowhere says so", async () => {
  open("/admin/nowhere");
  await screen.findByRole("heading", { name: "There is no such page" });
});
