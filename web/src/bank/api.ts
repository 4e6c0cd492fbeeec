/** The bank's routes. Everything read is kept under the key `bank`, so that whatever moved money can have it read again. */
import { keepPreviousData, queryOptions, type QueryClient } from "@tanstack/react-query";

import { api, body } from "../api/client";
import type { paths } from "../api/schema";
import type { NewPayee, NewReminder, NewTransfer, Transfer } from "./types";

const MOST = 100;
const MAX_PAGES = 5;

export type Filter = Omit<NonNullable<paths["/api/v1/ledger"]["get"]["parameters"]["query"]>, "page" | "per_page">;

export const accountsQuery = queryOptions({
  queryKey: ["bank", "accounts"],
  queryFn: () => all(async (query) => body(await api.GET("/api/v1/accounts", { params: { query } }))),
});

/** The whole number of an account; kept no longer than it is looked at. */
export const accountNumberQuery = (account_id: string) =>
  queryOptions({
    queryKey: ["bank", "account-number", account_id],
    queryFn: async () => body(await api.GET("/api/v1/accounts/{account_id}", { params: { path: { account_id } } })),
    select: ({ number }) => number,
    gcTime: 0,
  });

export const ledgerQuery = (filter: Filter, page: number, per_page: number) =>
  queryOptions({
    queryKey: ["bank", "ledger", filter, page, per_page],
    queryFn: async () => body(await api.GET("/api/v1/ledger", { params: { query: { ...filter, page, per_page } } })),
    placeholderData: keepPreviousData,
  });

export const spendingQuery = (span: { since: string; until?: string }) =>
  queryOptions({
    queryKey: ["bank", "spending", span],
    queryFn: async () => body(await api.GET("/api/v1/ledger/spending", { params: { query: span } })),
    placeholderData: keepPreviousData,
  });

export const payeesQuery = queryOptions({
  queryKey: ["bank", "payees"],
  queryFn: () => all(async (query) => body(await api.GET("/api/v1/beneficiaries", { params: { query } }))),
});

export const limitsQuery = queryOptions({
  queryKey: ["bank", "limits"],
  queryFn: async () => body(await api.GET("/api/v1/limits")),
});

export const transfersQuery = (per_page: number) =>
  queryOptions({
    queryKey: ["bank", "transfers", per_page],
    queryFn: async () => body(await api.GET("/api/v1/transfers", { params: { query: { per_page } } })),
    select: ({ data }) => data,
  });

export const transferQuery = (transfer_id: string) =>
  queryOptions({
    queryKey: ["bank", "transfer", transfer_id],
    queryFn: async () => body(await api.GET("/api/v1/transfers/{transfer_id}", { params: { path: { transfer_id } } })),
  });

/** What has become of several transfers: read again until every one of them is over. */
export const outcomesQuery = (ids: readonly string[]) =>
  queryOptions({
    queryKey: ["bank", "outcomes", ids],
    queryFn: async () =>
      Promise.all(
        ids.map(async (transfer_id) =>
          body(await api.GET("/api/v1/transfers/{transfer_id}", { params: { path: { transfer_id } } })),
        ),
      ),
    refetchInterval: ({ state }) => (state.data?.every(isOver) ? false : 2_000),
  });

/** Whether nothing more can become of it. */
export function isOver({ state }: Transfer): boolean {
  return state === "posted" || state === "declined" || state === "expired" || state === "failed";
}

export const billsQuery = queryOptions({
  queryKey: ["bank", "bills"],
  queryFn: () => all(async (query) => body(await api.GET("/api/v1/bills", { params: { query } }))),
});

export const loansQuery = queryOptions({
  queryKey: ["bank", "loans"],
  queryFn: () => all(async (query) => body(await api.GET("/api/v1/loans", { params: { query } }))),
});

export const scheduleQuery = (loan_id: string, page: number, per_page: number) =>
  queryOptions({
    queryKey: ["bank", "schedule", loan_id, page, per_page],
    queryFn: async () =>
      body(
        await api.GET("/api/v1/loans/{loan_id}/schedule", {
          params: { path: { loan_id }, query: { page, per_page } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const remindersQuery = queryOptions({
  queryKey: ["bank", "reminders"],
  queryFn: () =>
    all(async (query) =>
      body(await api.GET("/api/v1/reminders", { params: { query: { ...query, state: "scheduled" } } })),
    ),
});

export const noticesQuery = queryOptions({
  queryKey: ["bank", "notices"],
  queryFn: async () => body(await api.GET("/api/v1/notices")),
  select: ({ data }) => data,
  refetchInterval: 60_000,
});

/** Make a draft; nothing moves. The same key makes the same draft. */
export const draftTransfer = async (wish: NewTransfer, key: string) =>
  body(await api.POST("/api/v1/transfers/draft", { body: wish, params: { header: { "Idempotency-Key": key } } }));

export const confirmTransfer = async ({ id, link }: Transfer) =>
  body(
    await api.POST("/api/v1/transfers/{transfer_id}/confirm", {
      params: { path: { transfer_id: id } },
      body: { link },
    }),
  );

export const verifyTransfer = async (transfer_id: string, code: string) =>
  body(await api.POST("/api/v1/transfers/{transfer_id}/verify", { params: { path: { transfer_id } }, body: { code } }));

export const declineTransfer = async (transfer_id: string) =>
  body(await api.POST("/api/v1/transfers/{transfer_id}/decline", { params: { path: { transfer_id } } }));

export const payBill = async (bill_id: string, account_id: string, key: string) =>
  body(
    await api.POST("/api/v1/bills/pay", {
      body: { bill_id, account_id },
      params: { header: { "Idempotency-Key": key } },
    }),
  );

export const addPayee = async (payee: NewPayee) => body(await api.POST("/api/v1/beneficiaries", { body: payee }));

export const removePayee = (beneficiary_id: string) =>
  api.DELETE("/api/v1/beneficiaries/{beneficiary_id}", { params: { path: { beneficiary_id } } });

export const addReminder = async (reminder: NewReminder) =>
  body(await api.POST("/api/v1/reminders", { body: reminder }));

export const cancelReminder = (reminder_id: string) =>
  api.DELETE("/api/v1/reminders/{reminder_id}", { params: { path: { reminder_id } } });

export const readNotice = (notice_id: string) =>
  api.POST("/api/v1/notices/{notice_id}/read", { params: { path: { notice_id } } });

/** Read again whatever of the bank is on the screen. */
export function refreshBank(queryClient: QueryClient): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: ["bank"] });
}

interface Page<Item> {
  data: Item[];
  pagination: { pages: number };
}

/** The whole of a list that its owner keeps short. */
async function all<Item>(ask: (query: { page: number; per_page: number }) => Promise<Page<Item>>): Promise<Item[]> {
  const first = await ask({ page: 1, per_page: MOST });
  const items = [...first.data];
  for (let page = 2; page <= Math.min(first.pagination.pages, MAX_PAGES); page += 1) {
    items.push(...(await ask({ page, per_page: MOST })).data);
  }
  return items;
}
