import { MantineProvider } from "@mantine/core";
import { RTVIEvent } from "@pipecat-ai/client-js";
import { QueryClientProvider, type QueryClient } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { Link, MemoryRouter, Route, Routes, useLocation } from "react-router";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createQueryClient, meQuery } from "../api/queries";
import { session, type LoginState } from "../api/session";
import { LiveCall } from "../call/live-call";
import { ShellSlots } from "../components/ShellSlot";
import { refusal, serve } from "../testing/server";
import { PortalLayout } from "./PortalLayout";
import { usePortal } from "./PortalContext";

const agent = {
  id: "banking",
  name: "Bank",
  description: "",
  can_do: [],
  try_saying: [],
  available: true,
  language: "en",
  out_of_order: false,
  providers: {},
};
const guest = { body: { id: "otp_1", role: "otp", remaining_uses: 3, second_factor: { totp: false } } };
const code = {
  type: "code-requested",
  transfer_id: "trf_1",
  length: 6,
  sent_to: "this page",
  method: "code",
  expires_at: new Date(Date.now() + 180_000).toISOString(),
  tries_left: 3,
  amount_minor: 1_500_000,
  currency: "INR",
  payee: "Ravi Kumar",
};

let call: LiveCall | undefined;

/** Starts a call as the page before a call does, with a line that needs no network. */
function Start() {
  const { microphone, setCall } = usePortal();
  function start() {
    call = new LiveCall(agent, microphone, false);
    vi.spyOn(call.client, "connect").mockResolvedValue({} as never);
    setCall(call);
    void call.start();
  }
  return (
    <>
      <button onClick={start}>Start</button>
      <Where />
    </>
  );
}

function Where() {
  const location = useLocation();
  const reason = (location.state as LoginState | null)?.reason;
  return (
    <>
      <p>At {location.pathname}</p>
      {reason && <p>Because: {reason}</p>}
      <Link to="/bank/bills">Bills</Link>
      <Link to="/elsewhere">Elsewhere</Link>
    </>
  );
}

function Site() {
  const [tools, setTools] = useState<HTMLElement | null>(null);
  const [dock, setDock] = useState<HTMLElement | null>(null);
  return (
    <ShellSlots value={{ title: null, tools, dock }}>
      <div ref={setTools} />
      <Routes>
        <Route element={<PortalLayout />}>
          <Route path="start" element={<Start />} />
          <Route path="bank/*" element={<Where />} />
          <Route path="call/:agentId" element={<Where />} />
        </Route>
        <Route path="*" element={<Where />} />
      </Routes>
      <div ref={setDock} />
    </ShellSlots>
  );
}

let queryClient: QueryClient;

function open(address = "/start", replies: Parameters<typeof serve>[0] = {}) {
  const asked = serve({
    "GET /api/v1/me": [guest],
    "GET /api/agents/list": [{ body: [agent] }],
    "POST /api/agents/access": [{ body: { agent_type: "banking", access_id: "a", remaining_uses: 2 } }],
    "POST /start": [{ body: { sessionId: "call_1", iceConfig: { iceServers: [] } } }],
    "DELETE /sessions/call_1": [{ status: 204 }],
    "POST /api/auth/logout": [{ status: 204 }],
    "GET /api/v1/inbox": [{ body: { data: [{ text: "Code 123456.", at: "2026-01-01T00:00:00Z" }] } }],
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

async function startCall(): Promise<LiveCall> {
  await userEvent.click(await screen.findByText("Start"));
  await screen.findByText("Listening");
  return call!;
}

const tell = (live: LiveCall, message: object) => act(() => void live.client.emit(RTVIEvent.ServerMessage, message));

beforeEach(() => session.begin("guest"));
afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
});

test("a call goes on while its caller looks at the bank, and is ended from there", async () => {
  const asked = open();
  const live = await startCall();
  await userEvent.click(screen.getByText("Bills"));
  await screen.findByText("At /bank/bills");
  expect(live.snapshot().phase).toBe("live");
  expect(screen.getByRole("link", { name: "Back to call" }).getAttribute("href")).toBe("/call/banking");
  await userEvent.click(screen.getByRole("button", { name: "End" }));
  expect(live.snapshot()).toMatchObject({ phase: "ended", endReason: "hung_up" });
  expect(screen.getByRole("link", { name: "What was done" }).getAttribute("href")).toBe("/after");
  expect(asked.at(-1)).toMatchObject({ method: "DELETE", path: "/sessions/call_1" });
});

test("what waits for a yes and what is done is seen on every page", async () => {
  open();
  const live = await startCall();
  const money = { id: "trf_1", amount_minor: 50_000, currency: "INR", payee: "Ravi", account: "savings account" };
  tell(live, { type: "draft", draft: { ...money, kind: "transfer", payee_detail: "••••1234", expires_at: "" } });
  expect(screen.getByText(/Waiting for your yes/).textContent).toBe("Waiting for your yes: ₹500.00 to Ravi, ••••1234");
  tell(live, { type: "done", transfer: { ...money, balance_after_minor: 1, posted_at: "" } });
  expect(screen.queryByText(/Waiting for your yes/)).toBeNull();
  expect(screen.getByText(/^Done/).textContent).toMatch(/₹500.00 to Ravi/);
});

test("the keypad opens by itself on any page, with the guest's message, and closes with the question", async () => {
  open();
  const live = await startCall();
  tell(live, code);
  const keypad = await screen.findByRole("dialog", { name: "Enter the code" });
  expect(keypad.textContent).toMatch(/₹15,000.00 to Ravi Kumar/);
  expect(keypad.textContent).toMatch(/Nobody hears it, the assistant included/);
  await screen.findByText("Code 123456.");
  tell(live, { type: "code-closed", outcome: "right", tries_left: 0 });
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("the agent opens a page once; the caller may leave it again", async () => {
  open();
  const live = await startCall();
  act(() => void live.client.emit(RTVIEvent.UICommand, { command: "navigate", payload: { view: "loans" } }));
  await screen.findByText("At /bank/loans");
  await userEvent.click(screen.getByText("Bills"));
  await screen.findByText("At /bank/bills");
  tell(live, { type: "tool-finished", name: "list_bills" });
  expect(screen.getByText("At /bank/bills")).toBeTruthy();
});

test("leaving logs out and ends the call", async () => {
  const asked = open();
  const live = await startCall();
  await userEvent.click(screen.getByRole("button", { name: "Leave" }));
  await screen.findByText("At /");
  expect(live.snapshot()).toMatchObject({ phase: "ended", endReason: "hung_up" });
  expect(session.kind).toBeNull();
  expect(asked.map(({ path }) => path)).toContain("/api/auth/logout");
});

test("closing the page, or going where the call cannot be kept, ends it", async () => {
  open();
  const live = await startCall();
  act(() => void window.dispatchEvent(new Event("pagehide")));
  expect(live.snapshot().phase).toBe("ended");
  const second = await startCall();
  await userEvent.click(screen.getByText("Elsewhere"));
  expect(second.snapshot()).toMatchObject({ phase: "ended", endReason: "hung_up" });
});

test("another call ends the one before", async () => {
  open();
  const first = await startCall();
  const second = await startCall();
  expect(first.snapshot().phase).toBe("ended");
  expect(second.snapshot().phase).toBe("live");
});

test.each([
  ["guest", "/bank/bills", "/"],
  ["customer", "/start", "/login"],
  [null, "/bank/bills", "/login"],
  [null, "/start", "/"],
] as const)("a %s who is logged out at %s is led to %s", async (kind, address, door) => {
  session.end();
  if (kind) session.begin(kind);
  const asked = open(address, {
    "GET /api/v1/me": [refusal(401, "unauthorized")],
    "POST /api/v1/auth/refresh-token": [refusal(401, "refresh_refused")],
  });
  await screen.findByText(`At ${door}`);
  expect(session.kind).toBeNull();
  if (!kind) expect(asked).toEqual([]); // It could but be refused.
});

test.each([
  ["withdrawn", "withdrawn"],
  ["hung_up", "expired"],
])("a guest whose call ended as %s before the log-in did is told it is %s", async (ended, reason) => {
  open("/start", { "GET /api/v1/me": [guest, refusal(401, "unauthorized")] });
  const live = await startCall();
  await act(() => live.end(ended));
  await act(() => queryClient.invalidateQueries(meQuery));
  await screen.findByText("At /");
  expect(screen.getByText(`Because: ${reason}`)).toBeTruthy();
});

test("a customer whom another tab has logged out is led to the customers' door", async () => {
  session.begin("customer");
  const customer = { body: { ...guest.body, id: "usr_1", role: "user", remaining_uses: null } };
  open("/start", {
    "GET /api/v1/me": [customer, refusal(401, "unauthorized")],
    "POST /api/v1/auth/refresh-token": [refusal(401, "refresh_refused")],
  });
  await screen.findByText("At /start");
  session.end();
  await act(() => queryClient.invalidateQueries(meQuery));
  await screen.findByText("At /login");
});

test("an administrator is told whom the pages are for, and keeps the dashboard and a way out", async () => {
  session.begin("customer");
  const admin = { body: { ...guest.body, id: "usr_1", role: "admin" } };
  const asked = open("/bank/bills", { "GET /api/v1/me": [admin], "POST /api/v1/auth/logout": [{ status: 204 }] });
  await screen.findByRole("heading", { name: "You are logged in as an administrator" });
  expect(screen.queryByRole("link", { name: "My bank" })).toBeNull();
  expect(screen.getByRole("link", { name: "Open the dashboard" }).getAttribute("href")).toBe("/admin");
  expect(screen.getByRole("link", { name: "Dashboard" }).getAttribute("href")).toBe("/admin");
  await userEvent.click(screen.getAllByRole("button", { name: "Log out" })[0]!);
  await screen.findByText("At /login");
  expect(asked.at(-1)?.path).toBe("/api/v1/auth/logout");
});

test("whoever has a password that was given out is asked for one of their own before anything else", async () => {
  session.begin("customer");
  const asked = open("/bank/bills", {
    "GET /api/v1/me": [refusal(403, "password_change_required", "Change your password first.")],
    "PUT /api/v1/auth/change-password": [{ body: { message: "Password changed successfully" } }],
  });
  await screen.findByRole("heading", { name: "Choose a password of your own" });
  await userEvent.type(screen.getByLabelText("Current password"), "given out");
  await userEvent.type(screen.getByLabelText("New password"), "short");
  await userEvent.click(screen.getByRole("button", { name: "Change the password" }));
  expect(screen.getByText("Use at least 8 characters.")).toBeTruthy();
  await userEvent.type(screen.getByLabelText("New password"), " but longer");
  await userEvent.type(screen.getByLabelText("New password again"), "short but longer");
  await userEvent.click(screen.getByRole("button", { name: "Change the password" }));
  await screen.findByText("At /login");
  expect(asked.at(-1)?.body).toEqual({ current_password: "given out", new_password: "short but longer" });
  expect(session.kind).toBeNull();
});

test("a customer can log out from every page", async () => {
  session.begin("customer");
  const customer = { body: { ...guest.body, id: "usr_1", role: "user", remaining_uses: null } };
  const asked = open("/bank/bills", { "GET /api/v1/me": [customer], "POST /api/v1/auth/logout": [{ status: 204 }] });
  // One for wide screens, one for phones: the style sheet shows one of them.
  const [button] = await screen.findAllByRole("button", { name: "Log out" });
  await userEvent.click(button!);
  await screen.findByText("At /login");
  expect(asked.at(-1)?.path).toBe("/api/v1/auth/logout");
  expect(session.kind).toBeNull();
});

test("a turn can be typed from whichever page is open", async () => {
  session.begin("guest");
  open();
  await userEvent.click(await screen.findByRole("button", { name: "Start" }));
  const sent = vi.spyOn(call!.client, "sendText").mockResolvedValue(undefined);
  await userEvent.click(await screen.findByRole("link", { name: "Bills" }));
  await userEvent.click(await screen.findByRole("button", { name: "Type" }));
  const field = screen.getByRole("textbox", { name: "Type to the assistant" });
  expect(document.activeElement).toBe(field);
  await userEvent.type(field, "what is my balance{Enter}");
  expect(sent.mock.calls[0]?.[0]).toBe("what is my balance");
  await userEvent.type(field, "{Escape}");
  expect(screen.queryByRole("textbox")).toBeNull();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Type" }));
});
