import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { session } from "../api/session";
import { open } from "../testing/open";
import { refusal, serve } from "../testing/server";
import { LoginPage } from "./LoginPage";

const LOGIN = "POST /api/v1/auth/login";
const tokens = {
  body: { access_token: "t", token_type: "bearer", expires_in: 600, otp_required: false, session_id: "ses_1" },
};
const challenge = {
  body: {
    otp_required: true,
    challenge_id: "chl_1",
    expires_in: 180,
    method: "code",
    length: 6,
    sent_to: "j•••@example.com",
  },
};

const ME = "GET /api/v1/me";
const customer = { body: { id: "usr_1", role: "user" } };

async function enter(name: string, password: string) {
  await userEvent.type(screen.getByLabelText("User name, e-mail or phone"), name);
  await userEvent.type(screen.getByLabelText("Password"), password);
  await userEvent.click(screen.getByRole("button", { name: "Log in" }));
}

afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
});

test("a password logs in, to the page that was asked for", async () => {
  const asked = serve({ [LOGIN]: [tokens], [ME]: [customer] });
  open("/login", <LoginPage />, "/login", { from: "/bank/bills" });
  await enter(" john@example.com ", "password123");
  await screen.findByText("At /bank/bills");
  expect(asked[0]?.body).toEqual({ username: "john@example.com", password: "password123" });
  expect(session.kind).toBe("customer");
});

test("a second factor is asked for where there is one", async () => {
  const asked = serve({
    [LOGIN]: [challenge],
    "POST /api/v1/auth/token": [refusal(401, "otp_refused", "That code is not right. You have 2 tries left."), tokens],
    [ME]: [customer],
  });
  open("/login", <LoginPage />);
  await enter("john", "password123");
  await screen.findByText(/j•••@example.com/);
  expect(session.kind).toBeNull();
  await userEvent.type(screen.getAllByLabelText("Code character")[0]!, "000000");
  await screen.findByText(/2 tries left/);
  await userEvent.keyboard("123456");
  await screen.findByText("At /bank/accounts");
  expect(asked.at(-2)?.body).toEqual({ challenge_id: "chl_1", otp: "123456" });
});

test("an administrator comes to the dashboard by the same door", async () => {
  serve({ [LOGIN]: [tokens], [ME]: [{ body: { id: "usr_2", role: "admin" } }] });
  open("/login", <LoginPage />);
  await enter("ada", "password123");
  await screen.findByText("At /admin");
  expect(session.kind).toBe("admin");
});

test("whoever has to change the password is let in as far as that", async () => {
  serve({ [LOGIN]: [tokens], [ME]: [refusal(403, "password_change_required")] });
  open("/login", <LoginPage />, "/login", { from: "/admin/calls?outcome=failed" });
  expect(screen.getByRole("heading", { name: "Log in to the dashboard" })).toBeTruthy();
  await enter("ada", "password123");
  await screen.findByText("At /admin/calls");
});

test("a refusal is told in words, and the password is ready to be typed again", async () => {
  serve({ [LOGIN]: [refusal(401, "login_refused", "That name and password do not match.")] });
  open("/login", <LoginPage />);
  await enter("john", "nope");
  await screen.findByText("That name and password do not match.");
  const password = screen.getByLabelText<HTMLInputElement>("Password");
  expect(password.value).toBe("");
  expect(document.activeElement).toBe(password);
  expect(session.kind).toBeNull();
});

test("what is missing is said without asking the server", async () => {
  const asked = serve({});
  open("/login", <LoginPage />);
  await userEvent.click(screen.getByRole("button", { name: "Log in" }));
  expect(screen.getByText("Enter the name you log in with.")).toBeTruthy();
  expect(asked).toEqual([]);
});

test("who was logged out is told so, who is logged in goes on", async () => {
  serve({});
  open("/login", <LoginPage />, "/login", { reason: "expired" });
  expect(screen.getByText("You have been logged out")).toBeTruthy();
  session.begin("customer");
  open("/login", <LoginPage />);
  await screen.findByText("At /bank/accounts");
});
