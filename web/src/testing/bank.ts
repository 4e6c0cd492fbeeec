import type { Account, Payee, Transfer } from "../bank/types";

export const account: Account = {
  id: "acc_1",
  kind: "savings",
  name: "Savings account",
  number_masked: "••••0001",
  currency: "INR",
  balance_minor: 2_000_000,
  available_minor: 2_000_000,
  held_minor: 0,
  status: "active",
  is_primary: true,
  opened_at: "2026-01-01T00:00:00Z",
};

export const payee: Payee = {
  id: "ben_1",
  nickname: "Ravi",
  name: "Ravi Kumar",
  account_masked: "••••0003",
  ifsc: null,
  created_at: "2025-01-01T00:00:00Z",
  is_new: false,
};

export const drafted: Transfer = {
  id: "trf_1",
  state: "drafted",
  amount_minor: 1_500_000,
  currency: "INR",
  payee,
  bill: null,
  account: { id: "acc_1", kind: "savings", number_masked: "••••0001" },
  mode: "IMPS",
  note: "",
  read_back: "",
  created_at: "2026-01-01T00:00:00Z",
  expires_at: new Date(Date.now() + 120_000).toISOString(),
  posted_at: null,
  posting_id: null,
  balance_after_minor: null,
  failure: null,
  challenge: null,
  link: "link1",
};

export const challenged: Transfer = {
  ...drafted,
  state: "challenged",
  challenge: {
    id: "chl_1",
    method: "code",
    length: 6,
    sent_to: "•••• 0001",
    expires_at: new Date(Date.now() + 180_000).toISOString(),
    tries_left: 3,
  },
};

export const posted: Transfer = {
  ...drafted,
  state: "posted",
  posted_at: "2026-01-01T00:01:00Z",
  posting_id: "pst_1",
  balance_after_minor: 500_000,
};

export function pageOf<Item>(...data: Item[]) {
  return { body: { data, pagination: { page: 1, per_page: 100, total: data.length, pages: 1 } } };
}
