import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, test, vi } from "vitest";

import { challenged, drafted, posted } from "../testing/bank";
import { open } from "../testing/open";
import { refusal, serve } from "../testing/server";
import { TransferPage } from "./TransferPage";

const ONE = "/api/v1/transfers/trf_1";
const user = { body: { id: "usr_1", role: "user" } };

function show(replies: Parameters<typeof serve>[0]) {
  const asked = serve({ "GET /api/v1/me": [user], ...replies });
  open("/bank/transfers/:transferId", <TransferPage />, "/bank/transfers/trf_1");
  return asked;
}

const posts = (asked: ReturnType<typeof serve>) => asked.filter(({ method }) => method === "POST");
const press = async (name: RegExp) => userEvent.click(await screen.findByRole("button", { name }));
const heading = (name: RegExp) => screen.findByRole("heading", { level: 1, name });

afterEach(() => vi.unstubAllGlobals());

describe("a draft", () => {
  test("shows what will happen, and a yes sends exactly that", async () => {
    const asked = show({
      [`GET ${ONE}`]: [{ body: drafted }, { body: posted }],
      [`POST ${ONE}/confirm`]: [{ body: posted }],
    });
    await heading(/Send this money/);
    expect(screen.getByText("to Ravi Kumar")).toBeTruthy();
    await press(/^Send ₹15,000.00$/);
    await heading(/Sent ₹15,000.00 to Ravi Kumar/);
    expect(screen.getByText(/new balance is ₹5,000.00/)).toBeTruthy();
    expect(posts(asked)).toEqual([{ method: "POST", path: `${ONE}/confirm`, body: { link: "link1" } }]);
  });

  test("a no sends nothing", async () => {
    const declined = { ...drafted, state: "declined" };
    const asked = show({
      [`GET ${ONE}`]: [{ body: drafted }, { body: declined }],
      [`POST ${ONE}/decline`]: [{ body: declined }],
    });
    await press(/Do not send/);
    await heading(/Not sent: ₹15,000.00/);
    expect(posts(asked).map(({ path }) => path)).toEqual([`${ONE}/decline`]);
  });

  test("an answer that is lost is not told as a failure; the record says what is so", async () => {
    show({
      [`GET ${ONE}`]: [{ body: drafted }, "no answer", { body: posted }],
      [`POST ${ONE}/confirm`]: ["no answer", { body: posted }],
    });
    await press(/^Send ₹15,000.00$/);
    await screen.findByText(/cannot tell yet whether this went through/);
    await press(/^Send ₹15,000.00$/);
    await heading(/Sent ₹15,000.00/);
  });

  test("a refusal shows the record's reason, which says that no money has moved", async () => {
    const failed = {
      ...drafted,
      state: "failed",
      failure: { code: "no_funds", message: "There is not enough money." },
    };
    show({
      [`GET ${ONE}`]: [{ body: drafted }, { body: failed }],
      [`POST ${ONE}/confirm`]: [refusal(409, "no_funds", "There is not enough money.")],
    });
    await press(/^Send ₹15,000.00$/);
    await heading(/Not sent: ₹15,000.00/);
    expect(screen.getByText(/There is not enough money. No money has moved/)).toBeTruthy();
  });
});

describe("a code", () => {
  const type = async (code: string) => userEvent.type((await screen.findAllByLabelText("Code digit"))[0]!, code);

  test("is asked for where one is needed; the right one sends", async () => {
    const asked = show({
      [`GET ${ONE}`]: [{ body: drafted }, { body: challenged }, { body: posted }],
      [`POST ${ONE}/confirm`]: [{ status: 202, body: challenged }],
      [`POST ${ONE}/verify`]: [{ body: posted }],
    });
    await press(/^Send ₹15,000.00$/);
    await heading(/Enter the code/);
    await type("123456");
    await heading(/Sent ₹15,000.00/);
    expect(posts(asked).at(-1)).toEqual({ method: "POST", path: `${ONE}/verify`, body: { code: "123456" } });
  });

  test("a wrong one leaves fewer tries, the third ends it", async () => {
    const left = (tries_left: number) => ({
      body: { ...challenged, challenge: { ...challenged.challenge, tries_left } },
    });
    const failed = {
      body: { ...drafted, state: "failed", failure: { code: "factor_failed", message: "The code was not right." } },
    };
    const wrong = refusal(422, "wrong_code");
    show({
      [`GET ${ONE}`]: [left(3), left(2), left(1), failed],
      [`POST ${ONE}/verify`]: [wrong, wrong, refusal(409, "factor_failed")],
    });
    await type("000000");
    await screen.findByText("2 tries left");
    expect(screen.getByRole("alert").textContent).toBe("That code is not right.");
    await type("000000");
    await screen.findByText("1 try left");
    await type("000000");
    await heading(/Not sent: ₹15,000.00/);
  });

  test("can be done without", async () => {
    const declined = { ...drafted, state: "declined" };
    show({
      [`GET ${ONE}`]: [{ body: challenged }, { body: declined }],
      [`POST ${ONE}/decline`]: [{ body: declined }],
    });
    await press(/Cancel: do not send/);
    await heading(/Not sent: ₹15,000.00/);
  });

  test("a guest reads it on a telephone of the page's own", async () => {
    show({
      "GET /api/v1/me": [{ body: { id: "otp_1", role: "otp" } }],
      "GET /api/v1/inbox": [{ body: { data: [{ text: "Code 123456 to send ₹15,000.", at: "2026-01-01T00:00:00Z" }] } }],
      [`GET ${ONE}`]: [{ body: challenged }],
    });
    await screen.findByText("Code 123456 to send ₹15,000.");
  });
});

test("a transfer that is not theirs does not exist", async () => {
  show({ [`GET ${ONE}`]: [refusal(404, "no_transfer")] });
  await heading(/There is no such transfer/);
});

test("what cannot be loaded says so and is tried again", async () => {
  show({ [`GET ${ONE}`]: [refusal(500, "internal"), { body: posted }] });
  await press(/Try again/);
  await waitFor(() => heading(/Sent ₹15,000.00/));
});
