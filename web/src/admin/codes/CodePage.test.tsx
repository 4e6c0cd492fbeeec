import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../../testing/server";
import { agents, code, open, pageOf } from "../testing";
import type { UsageSum } from "../types";
import { CodePage } from "./CodePage";

const SUMS = "GET /api/v1/analytics/usage";

const sum: UsageSum = {
  otp_id: "otp_k3f9",
  otp_label: "Fair",
  user_id: null,
  user_name: null,
  agent_type: "banking",
  calls: 2,
  minutes: 3.25,
  heard_seconds: 65,
  input_tokens: 1200,
  cached_tokens: 200,
  output_tokens: 40,
  characters: 900,
  cost_usd: 1.5,
  unpriced: false,
};

const start = (replies: Parameters<typeof open>[3]) =>
  open("/admin/codes/:codeId", <CodePage />, "/admin/codes/otp_k3f9", {
    "GET /api/otps/otp_k3f9": [{ body: code }],
    "GET /api/agents/usage": [{ body: [] }],
    "GET /api/agents/list": [{ body: agents }],
    ...replies,
  });

const inAll = async () => within(await screen.findByRole("region", { name: "In all" }));
const cells = (row: HTMLElement) => [...row.querySelectorAll("td")].map((cell) => cell.textContent);

afterEach(() => vi.unstubAllGlobals());

test("what a code has used is summed agent by agent, and together", async () => {
  const { urls } = start({ [SUMS]: [pageOf(sum, { ...sum, agent_type: "front_desk", calls: 1, cost_usd: 0.25 })] });
  const table = within(await (await inAll()).findByRole("table"));
  const [, bank, desk, together] = table.getAllByRole("row");
  expect(within(bank!).getByRole("rowheader").textContent).toMatch(/^Bank/);
  expect(cells(bank!)).toEqual(["2", "3.3", "1:05", "1,200", "40", "900", "$1.50"]);
  expect(within(desk!).getByRole("rowheader").textContent).toMatch(/^Front desk/);
  expect(cells(together!)).toEqual(["3", "6.5", "2:10", "2,400", "80", "1,800", "$1.75"]);
  const asked = urls.find(({ pathname }) => pathname.endsWith("/analytics/usage"))!;
  expect(Object.fromEntries(asked.searchParams)).toEqual({ otp_id: "otp_k3f9", per_page: "100" });
});

test("what a code may cost stands beside what it has cost, and what follows", async () => {
  const budget = { body: { ...code, budget_usd: 5 } };
  const sums = [sum, { ...sum, agent_type: "front_desk", unpriced: true, cost_usd: 3.5 }];
  start({ "GET /api/otps/otp_k3f9": [budget], [SUMS]: [pageOf(...sums)] });
  const panel = await inAll();
  await panel.findByText("at least $5.00 of $5.00 spent: the code opens no more calls");
  const rows = within(panel.getByRole("table")).getAllByRole("row");
  expect(rows.slice(1).map((row) => cells(row).at(-1))).toEqual(["$1.50", "at least $3.50", "at least $5.00"]);
});

test("sums that could not be had are asked for again, and nothing is said to be nothing", async () => {
  start({ [SUMS]: [refusal(500, "internal"), pageOf()] });
  const panel = await inAll();
  await userEvent.click(await panel.findByRole("button", { name: "Try again" }));
  await panel.findByText("Nothing has been used yet");
});

test("the sums of a code that is gone stay, and those of one agent stand for themselves", async () => {
  start({ "GET /api/otps/otp_k3f9": [refusal(404, "not_found")], [SUMS]: [pageOf(sum)] });
  await screen.findByRole("heading", { name: "There is no such code" });
  const table = await (await inAll()).findByRole("table");
  expect(within(table).getAllByRole("row")).toHaveLength(2);
});
