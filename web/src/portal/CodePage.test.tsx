import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter, Route, Routes } from "react-router";
import { afterEach, expect, test, vi } from "vitest";

import { createQueryClient } from "../api/queries";
import { session } from "../api/session";
import { refusal, serve } from "../testing/server";
import { CodePage } from "./CodePage";

const portal = {
  body: { otp_length: 6, otp_format: "digits6", product: "Parley", environment: "development", offline_speech: true },
};
const token = { body: { access_token: "t", token_type: "bearer", expires_in: 3600 } };

function open(state: object | null = null) {
  render(
    <MantineProvider>
      <QueryClientProvider client={createQueryClient()}>
        <MemoryRouter initialEntries={[{ pathname: "/", state }]}>
          <Routes>
            <Route index element={<CodePage />} />
            <Route path="agents" element={<p>Agents</p>} />
          </Routes>
        </MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const boxes = () => screen.getAllByLabelText("Code character");

afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
});

test("a code that is typed logs in by itself", async () => {
  const asked = serve({ "GET /api/v1/portal": [portal], "POST /api/auth/login/otp": [token] });
  open();
  await userEvent.type(boxes()[0]!, "123456");
  await screen.findByText("Agents");
  expect(asked.filter(({ method }) => method === "POST").map(({ body }) => body)).toEqual([{ otp_code: "123456" }]);
  expect(session.kind).toBe("guest");
});

test("a code is pasted as it was sent", async () => {
  const asked = serve({ "GET /api/v1/portal": [portal], "POST /api/auth/login/otp": [token] });
  open();
  await userEvent.click(boxes()[2]!);
  await userEvent.paste(" 123-456 ");
  await screen.findByText("Agents");
  expect(asked.filter(({ method }) => method === "POST").map(({ body }) => body)).toEqual([{ otp_code: "123456" }]);
});

test("a refused code is told in words, and the boxes are ready for another", async () => {
  serve({ "GET /api/v1/portal": [portal], "POST /api/auth/login/otp": [refusal(401, "code_refused"), token] });
  open();
  await userEvent.type(boxes()[0]!, "000000");
  await waitFor(() => expect(screen.getByRole("alert").textContent).toMatch(/does not work/));
  expect(document.activeElement).toBe(boxes()[0]);
  expect(session.kind).toBeNull();
  await userEvent.keyboard("123456");
  await screen.findByText("Agents");
});

test("who was logged out is told so, who is logged in goes on", async () => {
  serve({ "GET /api/v1/portal": [portal] });
  open({ reason: "expired" });
  expect(screen.getByText("You have been logged out")).toBeTruthy();
  open({ reason: "withdrawn" });
  expect(screen.getByText("Your access was withdrawn")).toBeTruthy();
  session.begin("guest");
  open();
  await screen.findByText("Agents");
});
