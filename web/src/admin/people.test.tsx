import { cleanup, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../testing/server";
import { AdminsPage } from "./AdminsPage";
import AuditPage from "./AuditPage";
import { RequestsPage } from "./RequestsPage";
import { SystemPage } from "./SystemPage";
import { open, pageOf, system } from "./testing";

const admin = {
  id: "usr_2",
  username: "bea",
  name: "Bea Ito",
  created_at: "2026-01-01T00:00:00Z",
  disabled: false,
  last_login_at: null,
  totp: true,
  must_change_password: false,
  current: false,
};

afterEach(() => vi.unstubAllGlobals());

test("an administrator is added, and the password shown until it is taken", async () => {
  const { asked } = open("/a", <AdminsPage />, "/a", {
    "GET /api/v1/admins": [pageOf(admin)],
    "POST /api/v1/admins": [
      refusal(409, "already_registered", "That name is already registered."),
      { status: 201, body: { ...admin, username: "cy", password: "s3cret-word" } },
    ],
  });
  await screen.findByText("Bea Ito");
  await userEvent.click(screen.getByRole("button", { name: "Add an administrator" }));
  const form = await screen.findByRole("dialog", { name: "Add an administrator" });
  await userEvent.type(within(form).getByLabelText("Name"), "Cy");
  await userEvent.type(within(form).getByLabelText("User name"), "c");
  await userEvent.click(within(form).getByRole("button", { name: "Add" }));
  expect(within(form).getByText(/at least 3/)).toBeTruthy();
  await userEvent.type(within(form).getByLabelText("User name"), "y.x");
  await userEvent.click(within(form).getByRole("button", { name: "Add" }));
  await within(form).findByText("That name is already registered.");
  await userEvent.click(within(form).getByRole("button", { name: "Add" }));
  const given = await screen.findByRole("dialog", { name: "Password of cy" });
  expect(within(given).getByText("s3cret-word")).toBeTruthy();
  await userEvent.keyboard("{Escape}");
  expect(screen.getByText("s3cret-word")).toBeTruthy();
  await userEvent.click(within(given).getByRole("button", { name: "Done" }));
  await waitFor(() => expect(screen.queryByText("s3cret-word")).toBeNull());
  expect(asked.find(({ method }) => method === "POST")?.body).toEqual({ username: "cy.x", name: "Cy" });
});

test("a lost password is reset, with the app where that is lost too", async () => {
  const { asked } = open("/a", <AdminsPage />, "/a", {
    "GET /api/v1/admins": [pageOf(admin)],
    "POST /api/v1/admins/usr_2/reset-password": [{ body: { ...admin, password: "n3w" } }],
  });
  await userEvent.click(await screen.findByRole("button", { name: "Actions for bea" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Reset the password" }));
  const question = await screen.findByRole("dialog", { name: "Reset the password of bea?" });
  await userEvent.click(within(question).getByLabelText(/authenticator app is lost/));
  await userEvent.click(within(question).getByRole("button", { name: "Reset the password" }));
  await screen.findByText("n3w");
  expect(asked.find(({ method }) => method === "POST")?.body).toEqual({ remove_totp: true });
});

test("an administrator is disabled, which can be undone, but not oneself", async () => {
  const { asked } = open("/a", <AdminsPage />, "/a", {
    "GET /api/v1/admins": [pageOf(admin, { ...admin, id: "usr_1", username: "me", current: true })],
    "PATCH /api/v1/admins/usr_2": [{ body: admin }],
  });
  await userEvent.click(await screen.findByRole("button", { name: "Actions for me" }));
  expect((await screen.findAllByRole("menuitem")).map((item) => item.textContent)).toEqual([
    "Where they are logged in",
  ]);
  await userEvent.keyboard("{Escape}");
  await userEvent.click(screen.getByRole("button", { name: "Actions for bea" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Disable" }));
  await userEvent.click(await screen.findByRole("button", { name: "Undo" }));
  await screen.findByText("bea can log in again.");
  expect(asked.filter(({ method }) => method === "PATCH").map(({ body }) => body)).toEqual([
    { disabled: true },
    { disabled: false },
  ]);
});

test("a log-in of somebody's is ended", async () => {
  const session = {
    id: "ses_1",
    opened_at: admin.created_at,
    renewed_at: admin.created_at,
    expires_at: admin.created_at,
  };
  const { asked } = open("/a", <AdminsPage />, "/a", {
    "GET /api/v1/admins": [pageOf(admin)],
    "GET /api/v1/admins/usr_2/sessions": [{ body: { data: [{ ...session, current: false }] } }, { body: { data: [] } }],
    "DELETE /api/v1/admins/usr_2/sessions/ses_1": [{ status: 204 }],
  });
  await userEvent.click(await screen.findByRole("button", { name: "Actions for bea" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Where they are logged in" }));
  await userEvent.click(await screen.findByRole("button", { name: "Log out" }));
  await screen.findByText("They are logged in nowhere");
  expect(asked.some(({ method }) => method === "DELETE")).toBe(true);
});

test("the record is verified on demand, and a broken one is told at once", async () => {
  const verdict = { ok: true, checked: 12, first_broken: null, why: "", heads: 3, public_key: "" };
  open("/a", <AuditPage />, "/a", {
    "GET /api/v1/audit-logs": [pageOf()],
    "GET /api/v1/admins": [pageOf()],
    "GET /api/v1/audit-logs/verify": [
      { body: verdict },
      { body: { ...verdict, ok: false, first_broken: 7, why: "Its hash differs." } },
    ],
  });
  await userEvent.click(screen.getByRole("button", { name: "Verify" }));
  await screen.findByText("Nothing was changed");
  expect(screen.getByText("12 records held against 3 signed seals.")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Verify" }));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toMatch(/Record 7 is the first that differs. Its hash differs./);
});

test("a record tells more on demand, and leads to its call", async () => {
  const record = {
    id: "aud_1",
    seq: 1,
    user_id: "usr_1",
    role: "admin",
    channel: "web",
    call_id: "call_1",
    customer_id: null,
    command_text: null,
    action_json: { act: "code.changed", subject: "otp_1", details: { max_uses: 3 } },
    result: "ok",
    created_at: "2026-01-01T00:00:00Z",
    hash: "abc",
  };
  const { urls } = open("/a", <AuditPage />, "/a?act=code.changed&call=call_1", {
    "GET /api/v1/audit-logs": [pageOf(record)],
    "GET /api/v1/admins": [pageOf({ ...admin, id: "usr_1" })],
  });
  await userEvent.click(await screen.findByRole("button", { name: "More on record 1" }));
  expect(screen.getByText(/"max_uses": 3/)).toBeTruthy();
  expect(screen.getByRole("link", { name: "The call it was done in" }).getAttribute("href")).toBe(
    "/admin/calls/call_1",
  );
  expect((await screen.findAllByText("Bea Ito")).length).toBe(1);
  const list = urls.find(({ pathname }) => pathname.endsWith("/audit-logs"))!;
  expect(list.search).toBe("?act=code.changed&call=call_1&page=1&per_page=50");
});

test("a request is marked as done after asking", async () => {
  const request = {
    id: "req_1",
    customer_id: "cus_1",
    customer_name: "Jane",
    kind: "block_card",
    note: "Lost it.",
    call_id: "call_1",
    state: "open",
    created_at: "2026-01-01T00:00:00Z",
  };
  const { asked, urls } = open("/a", <RequestsPage />, "/a", {
    "GET /api/v1/requests": [pageOf(request), pageOf()],
    "POST /api/v1/requests/req_1/done": [{ body: { ...request, state: "done" } }],
  });
  await userEvent.click(await screen.findByRole("button", { name: "Done: Block a card for Jane" }));
  expect(asked.some(({ method }) => method === "POST")).toBe(false);
  await userEvent.click(await screen.findByRole("button", { name: "Mark as done" }));
  await screen.findByText("Nothing is waiting");
  expect(urls[0]?.search).toBe("?state=open&page=1&per_page=25");
});

test("what is in trouble stands first, background work included; settings that differ stand out", async () => {
  const part = { detail: "", since: "2026-01-01T00:00:00Z", last_error: null, last_error_at: null };
  open("/a", <SystemPage />, "/a", {
    "GET /api/v1/system": [
      {
        body: {
          ...system,
          seats_taken: 8,
          parts: [
            { ...part, name: "database", label: "Database", state: "ok" },
            { ...part, name: "job webhooks", label: "Background: webhooks", state: "trouble", last_error: "timeout" },
            { ...part, name: "job health", label: "Background: health", state: "ok" },
          ],
          configuration: [
            { name: "PORT", value: "8000", is_default: true, description: "" },
            { name: "SECRET_KEY", value: "••••", is_default: false, description: "" },
          ],
        },
      },
    ],
  });
  await screen.findByText("1 part is in trouble.");
  const rows = () =>
    within(screen.getByRole("table", { name: "Parts" }))
      .getAllByRole("row")
      .slice(1);
  expect(rows().map((row) => row.textContent)).toEqual([
    expect.stringMatching(/^Background: webhooks.*In trouble.*timeout/),
    expect.stringMatching(/^Database/),
  ]);
  await userEvent.click(screen.getByRole("button", { name: "Show 2 background jobs" }));
  expect(rows().length).toBe(3);
  expect(screen.getByText(/all lines are busy/)).toBeTruthy();
  expect(screen.getByText("••••")).toBeTruthy();
  expect(screen.queryByText("PORT")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show all 2" }));
  expect(screen.getByText("PORT")).toBeTruthy();
});

test("every process that carries calls is told, unless the server carries them itself", async () => {
  const worker = { number: 0, state: "ready", pid: 7, seats: 8, seats_taken: 0, lag_ms: 1, busy: 0.1, restarts: 0 };
  const lost = { ...worker, number: 2, state: "silent", pid: null, seats: 0, lag_ms: 0, busy: 0, restarts: 3 };
  open("/a", <SystemPage />, "/a", {
    "GET /api/v1/system": [{ body: { ...system, workers: [worker] } }],
  });
  await screen.findByText("Everything is well.");
  expect(screen.queryByRole("table", { name: "Voice workers" })).toBeNull();
  cleanup();
  open("/a", <SystemPage />, "/a", {
    "GET /api/v1/system": [{ body: { ...system, workers: [{ ...worker, number: 1, seats_taken: 3 }, lost] } }],
  });
  const rows = within(await screen.findByRole("table", { name: "Voice workers" })).getAllByRole("row");
  expect(rows.slice(1).map((row) => row.textContent)).toEqual([
    "1Takes calls3 of 810%1\u00a0ms07",
    "2Not there0 of 00%0\u00a0ms3None",
  ]);
});
