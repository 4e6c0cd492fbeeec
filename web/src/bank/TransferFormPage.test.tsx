import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { account, drafted, pageOf, payee } from "../testing/bank";
import { open } from "../testing/open";
import { refusal, serve } from "../testing/server";
import { TransferFormPage } from "./TransferFormPage";

const limits = {
  body: {
    channel: "web",
    currency: "INR",
    per_transfer_minor: 50_000_000,
    per_day_minor: 100_000_000,
    used_today_minor: 0,
    left_today_minor: 100_000_000,
    second_factor_above_minor: 1_000_000,
    new_payee_minor: 2_500_000,
  },
};

function show(replies: Parameters<typeof serve>[0], address = "/bank/transfer?to=ben_1") {
  const asked = serve({
    "GET /api/v1/beneficiaries": [pageOf(payee)],
    "GET /api/v1/accounts": [pageOf(account)],
    "GET /api/v1/limits": [limits],
    "GET /api/v1/transfers": [pageOf()],
    ...replies,
  });
  open("/bank/transfer", <TransferFormPage />, address);
  return () => asked.filter(({ method }) => method === "POST");
}

const amount = (text: string) => userEvent.type(screen.getByRole("textbox", { name: /Amount/ }), text);
const go = () => userEvent.click(screen.getByRole("button", { name: "Continue" }));

afterEach(() => vi.unstubAllGlobals());

test("makes a draft in whole paise and leads to its page", async () => {
  const posts = show({ "POST /api/v1/transfers/draft": [{ status: 201, body: drafted }] });
  await screen.findByLabelText("To");
  await amount("1,499.50");
  await go();
  await screen.findByText("At /bank/transfers/trf_1");
  expect(posts()).toMatchObject([
    { body: { beneficiary_id: "ben_1", amount_minor: 149_950, account_id: "acc_1", mode: "IMPS", note: "" } },
  ]);
});

test("sent again because no answer came it is the same request, changed it is another", async () => {
  const posts = show({ "POST /api/v1/transfers/draft": ["no answer"] });
  await screen.findByLabelText("To");
  await amount("50");
  await go();
  await screen.findByText(/cannot be reached/);
  await go();
  await waitFor(() => expect(posts()).toHaveLength(2));
  await amount("0");
  await go();
  await waitFor(() => expect(posts()).toHaveLength(3));
  const [first, second, third] = posts();
  expect(first?.key).toMatch(/^[0-9a-f]{32}$/);
  expect(second?.key).toBe(first?.key);
  expect(third?.key).not.toBe(first?.key);
});

test("says what is missing or too much before anything is asked of the server", async () => {
  const posts = show({}, "/bank/transfer");
  await screen.findByLabelText("To");
  await go();
  expect(screen.getByText("Choose whom to send money to.")).toBeTruthy();
  expect(document.activeElement).toBe(screen.getByLabelText("To"));
  await userEvent.selectOptions(screen.getByLabelText("To"), "ben_1");
  await amount("20,000.01");
  await go();
  expect(screen.getByText("You have ₹20,000.00 on this account.")).toBeTruthy();
  expect(posts()).toEqual([]);
});

test("a refusal keeps the server's sentence", async () => {
  show({ "POST /api/v1/transfers/draft": [refusal(422, "over_limit", "That is more than you may send today.")] });
  await screen.findByLabelText("To");
  await amount("5");
  await go();
  await screen.findByText("That is more than you may send today.");
});

test("without payees it says what to do first", async () => {
  show({ "GET /api/v1/beneficiaries": [pageOf()] });
  await screen.findByText("You have no payees yet");
  expect(screen.getByRole("link", { name: "Add a payee" }).getAttribute("href")).toBe("/bank/payees/new");
});
