import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { agents, call, code, open, pageOf } from "../testing";
import CallsPage from "./CallsPage";

const start = (replies: Parameters<typeof open>[3], address = "/admin/calls") =>
  open("/admin/calls", <CallsPage />, address, {
    "GET /api/agents/list": [{ body: agents }],
    "GET /api/otps/": [{ body: [code] }],
    "GET /api/otps/otp_k3f9": [{ body: code }],
    ...replies,
  });

afterEach(() => vi.unstubAllGlobals());

test("a call is told in one line, and opens", async () => {
  start({ "GET /api/v1/call-logs": [pageOf({ ...call, outcome: "failed", end_reason: "server_lost" })] });
  const [, row] = await screen.findAllByRole("row");
  expect(within(row!).getByRole("link").getAttribute("href")).toBe("/admin/calls/call_1");
  expect(within(row!).getByText("The server was lost")).toBeTruthy();
  expect(within(row!).getByText("$0.0123")).toBeTruthy();
  await userEvent.click(within(row!).getByText("1:00"));
  expect(screen.getByTestId("where").textContent).toBe("/admin/calls/call_1");
});

test("the list and the file are of what the address says", async () => {
  const { urls } = start(
    { "GET /api/v1/call-logs": [pageOf(call)] },
    "/admin/calls?period=dates&since=2026-01-01&until=2026-01-02&agent=banking&code=otp_k3f9&outcome=failed&q=ada&page=3",
  );
  await screen.findByText("1:00");
  const wanted = {
    from: new Date(2026, 0, 1).toISOString(),
    to: new Date(2026, 0, 3).toISOString(),
    agent_type: "banking",
    otp_id: "otp_k3f9",
    outcome: "failed",
    q: "ada",
  };
  const list = urls.find(({ pathname }) => pathname.endsWith("/call-logs"))!;
  expect(Object.fromEntries(list.searchParams)).toEqual({ ...wanted, page: "3", per_page: "25" });
  const file = new URL(screen.getByRole<HTMLAnchorElement>("link", { name: "Export CSV" }).href);
  expect([file.pathname, Object.fromEntries(file.searchParams)]).toEqual(["/api/v1/call-logs/export", wanted]);
  expect(screen.getByLabelText<HTMLInputElement>("From").value).toBe("2026-01-01");
});

test("a nonsensical address asks for nothing nonsensical", async () => {
  const { urls } = start({ "GET /api/v1/call-logs": [pageOf()] }, "/admin/calls?outcome=toString&period=x&page=-2");
  await screen.findByText("No call fits");
  expect(urls.find(({ pathname }) => pathname.endsWith("/call-logs"))!.search).toBe("?page=1&per_page=25");
});

test("a single letter is not searched for: the server wants two", async () => {
  const { urls } = start({ "GET /api/v1/call-logs": [pageOf(call)] }, "/admin/calls?q=x");
  await screen.findByText("1:00");
  const field = screen.getByLabelText<HTMLInputElement>("Search");
  await userEvent.clear(field);
  await userEvent.type(field, "ad");
  await waitFor(() => expect(screen.getByTestId("where").textContent).toBe("/admin/calls?q=ad"));
  await userEvent.type(field, "{Backspace}");
  await waitFor(() => expect(screen.getByTestId("where").textContent).toBe("/admin/calls"));
  expect(field.value).toBe("a");
  const asked = urls.filter(({ pathname }) => pathname.endsWith("/call-logs"));
  expect(new Set(asked.map(({ searchParams }) => searchParams.get("q")))).toEqual(new Set([null, "ad"]));
});

test("a choice begins at the first page", async () => {
  start({ "GET /api/v1/call-logs": [pageOf(call)] }, "/admin/calls?page=3");
  await screen.findByText("1:00");
  await userEvent.selectOptions(screen.getByLabelText("Outcome"), "Not connected");
  await waitFor(() => expect(screen.getByTestId("where").textContent).toBe("/admin/calls?outcome=not_connected"));
});
