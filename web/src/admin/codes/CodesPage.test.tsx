import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../../testing/server";
import { code, open } from "../testing";
import CodesPage from "./CodesPage";

const LIST = "GET /api/otps/";
const listed = (...codes: object[]) => ({ body: codes, headers: { "X-Total-Count": "120" } });
const start = (replies: Parameters<typeof open>[3], address = "/admin/codes") =>
  open("/admin/codes", <CodesPage />, address, replies);

afterEach(() => vi.unstubAllGlobals());

async function act(name: string) {
  await userEvent.click(await screen.findByRole("button", { name: "Change or delete: Fair · k3f9" }));
  await userEvent.click(await screen.findByRole("menuitem", { name }));
}

test("codes are listed with what is left of them, and lead to their page", async () => {
  start({ [LIST]: [listed({ ...code, last_used_at: null })] });
  const row = (await screen.findByText("Fair · k3f9")).closest("tr")!;
  expect(within(row).getByRole("link").getAttribute("href")).toBe("/admin/codes/otp_k3f9");
  expect(within(row).getByText("2 of 5")).toBeTruthy();
  expect(screen.getByText("120 codes")).toBeTruthy();
});

test("what is chosen stands in the address, and is asked for", async () => {
  const { urls } = start({ [LIST]: [listed(code)] }, "/admin/codes?page=2");
  await screen.findByText("Fair · k3f9");
  expect(urls[0]?.search).toBe("?page=2&per_page=50");
  await userEvent.selectOptions(screen.getByLabelText("State"), "Expired");
  expect(screen.getByTestId("where").textContent).toBe("/admin/codes?state=expired");
  await userEvent.type(screen.getByLabelText("Search"), "fair ");
  await waitFor(() => expect(screen.getByTestId("where").textContent).toBe("/admin/codes?state=expired&search=fair"));
  await waitFor(() => expect(urls.at(-1)?.search).toBe("?state=expired&search=fair&page=1&per_page=50"));
});

test("new codes are shown once, all of them", async () => {
  const issued = [
    { ...code, id: "otp_a1b2", code: "012345" },
    { ...code, id: "otp_c3d4", code: "678901" },
  ];
  const { asked } = start({ [LIST]: [listed()], "POST /api/otps/": [{ status: 201, body: issued }] });
  await userEvent.click((await screen.findAllByRole("button", { name: "New codes" }))[0]!);
  const form = await screen.findByRole("dialog", { name: "New codes" });
  await userEvent.clear(within(form).getByLabelText("How many"));
  await userEvent.click(within(form).getByRole("button", { name: "Make codes" }));
  expect(within(form).getByText(/number from 1 to 1000/)).toBeTruthy();
  await userEvent.type(within(form).getByLabelText("How many"), "2");
  await userEvent.type(within(form).getByLabelText("Label"), " Fair ");
  await userEvent.selectOptions(within(form).getByLabelText("Expires"), "In a day");
  await userEvent.click(within(form).getByRole("button", { name: "Make 2 codes" }));
  const shown = await screen.findByRole("dialog", { name: "2 new codes" });
  expect(
    within(shown)
      .getAllByRole("listitem")
      .map((item) => item.textContent),
  ).toEqual(["012345 · a1b2", "678901 · c3d4"]);
  expect(asked.find(({ method }) => method === "POST")?.body).toEqual({
    count: 2,
    max_uses: 5,
    label: "Fair",
    expires_in_minutes: 1440,
  });
  await userEvent.click(within(shown).getByRole("button", { name: "Done" }));
  expect(screen.queryByText(/012345/)).toBeNull();
});

test("a code is disabled after asking, as calls end with it, and enabled at once", async () => {
  const { asked } = start({
    [LIST]: [listed(code), listed({ ...code, disabled: true, state: "disabled" }), listed(code)],
    "PUT /api/otps/otp_k3f9": [{ body: code }],
  });
  await act("Disable");
  const question = await screen.findByRole("dialog", { name: "Disable “Fair · k3f9”?" });
  expect(question.textContent).toMatch(/calls under way with it end at once/);
  expect(asked.some(({ method }) => method === "PUT")).toBe(false);
  await userEvent.click(within(question).getByRole("button", { name: "Disable" }));
  await screen.findByText("“Fair · k3f9” is disabled.");
  await act("Enable");
  await screen.findByText("“Fair · k3f9” is enabled.");
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(asked.filter(({ method }) => method === "PUT").map(({ body }) => body)).toEqual([
    { disabled: true },
    { disabled: false },
  ]);
});

test("only what was changed is sent, and undone: the rest may be a colleague's by now", async () => {
  const { asked } = start({
    [LIST]: [listed({ ...code, expires_at: "2030-01-01T00:00:30Z" })],
    "PUT /api/otps/otp_k3f9": [{ body: code }],
  });
  await act("Change");
  const form = await screen.findByRole("dialog", { name: "Change the code" });
  const uses = within(form).getByLabelText("Calls in all");
  await userEvent.clear(uses);
  await userEvent.type(uses, "9");
  await userEvent.click(within(form).getByRole("button", { name: "Save" }));
  await screen.findByText("The code is changed.");
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  await screen.findByText("It is as it was before.");
  expect(asked.filter(({ method }) => method === "PUT").map(({ body }) => body)).toEqual([
    { max_uses: 9 },
    { max_uses: 5 },
  ]);
});

test("a dialog in which nothing was changed sends nothing", async () => {
  const { asked } = start({ [LIST]: [listed(code)] });
  await act("Change");
  const form = await screen.findByRole("dialog", { name: "Change the code" });
  await userEvent.click(within(form).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(asked.some(({ method }) => method === "PUT")).toBe(false);
});

test("a code is deleted only after asking, and a refusal is told", async () => {
  const { asked } = start({
    [LIST]: [listed(code)],
    "DELETE /api/otps/otp_k3f9": [refusal(409, "in_use", "It is in use."), { status: 204 }],
  });
  await act("Delete");
  const question = await screen.findByRole("dialog", { name: "Delete “Fair · k3f9”?" });
  expect(question.textContent).toMatch(/calls under way with it end at once/);
  expect(asked.some(({ method }) => method === "DELETE")).toBe(false);
  await userEvent.click(within(question).getByRole("button", { name: "Delete" }));
  await within(question).findByText("It is in use.");
  await userEvent.click(within(question).getByRole("button", { name: "Delete" }));
  await screen.findByText("“Fair · k3f9” is deleted.");
});

test("where nothing fits, everything is a click away; where nothing could be had, another try is", async () => {
  start({ [LIST]: [{ body: [] }, refusal(500, "internal"), listed(code)] }, "/admin/codes?state=expired");
  await userEvent.click(await screen.findByRole("button", { name: "Show every code" }));
  expect(screen.getByTestId("where").textContent).toBe("/admin/codes");
  await userEvent.click(await screen.findByRole("button", { name: "Try again" }));
  await screen.findByText("Fair · k3f9");
});
