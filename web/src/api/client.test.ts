import { afterEach, describe, expect, test, vi } from "vitest";

import { refusal, serve } from "../testing/server";
import { api } from "./client";
import { ApiError } from "./errors";
import { session } from "./session";

const ACCOUNTS = "/api/v1/accounts";
const RENEW = "/api/v1/auth/refresh-token";
const expired = refusal(401, "token_expired");
const over = refusal(401, "refresh_refused");
const list = { body: { data: [], pagination: { page: 1, per_page: 20, total: 0, pages: 0 } } };

const paths = (asked: { path: string }[]) => asked.map(({ path }) => path);
const statusOf = async (answer: Promise<unknown>) =>
  answer.then(
    () => "fine",
    (error: unknown) => (error instanceof ApiError ? error.status : "other"),
  );

afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
});

describe("a session that has run out", () => {
  test("is renewed once, and the request is sent again as it was", async () => {
    const asked = serve({
      "POST /api/v1/beneficiaries": [expired, { body: { id: "ben_1" } }],
      [`POST ${RENEW}`]: [{}],
    });
    const payee = { nickname: "Ravi", name: "Ravi Kumar", account_number: "123456", ifsc: null };
    await api.POST("/api/v1/beneficiaries", { body: payee });
    expect(paths(asked)).toEqual(["/api/v1/beneficiaries", RENEW, "/api/v1/beneficiaries"]);
    expect(asked[2]?.body).toEqual(payee);
  });

  test("is renewed once for all who find out together", async () => {
    const asked = serve({
      [`GET ${ACCOUNTS}`]: [expired, list],
      "GET /api/v1/loans": [expired, list],
      [`POST ${RENEW}`]: [{}],
    });
    await Promise.all([api.GET("/api/v1/accounts"), api.GET("/api/v1/loans")]);
    expect(paths(asked).filter((path) => path === RENEW)).toHaveLength(1);
  });

  test("that cannot be renewed stays refused, without a second try", async () => {
    const asked = serve({ [`GET ${ACCOUNTS}`]: [expired], [`POST ${RENEW}`]: [over] });
    expect(await statusOf(api.GET("/api/v1/accounts"))).toBe(401);
    expect(paths(asked)).toEqual([ACCOUNTS, RENEW]);
  });

  test("is not renewed for ever: a second refusal is one", async () => {
    const asked = serve({ [`GET ${ACCOUNTS}`]: [expired], [`POST ${RENEW}`]: [{}] });
    expect(await statusOf(api.GET("/api/v1/accounts"))).toBe(401);
    expect(paths(asked)).toEqual([ACCOUNTS, RENEW, ACCOUNTS]);
  });

  test("is not given up because the server did not answer", async () => {
    serve({ [`GET ${ACCOUNTS}`]: [expired], [`POST ${RENEW}`]: ["no answer"] });
    expect(await statusOf(api.GET("/api/v1/accounts"))).toBe(0);
  });
});

describe("nothing is renewed", () => {
  test("for a guest, whose code is all there is", async () => {
    session.begin("guest");
    const asked = serve({ [`GET ${ACCOUNTS}`]: [expired] });
    expect(await statusOf(api.GET("/api/v1/accounts"))).toBe(401);
    expect(paths(asked)).toEqual([ACCOUNTS]);
  });

  test("for a wrong password, which would be counted twice", async () => {
    const asked = serve({ "POST /api/v1/auth/login": [refusal(401, "unauthorized")] });
    const login = api.POST("/api/v1/auth/login", { body: { username: "john", password: "x" } });
    expect(await statusOf(login)).toBe(401);
    expect(paths(asked)).toEqual(["/api/v1/auth/login"]);
  });

  test("for a refusal that is about something else", async () => {
    const asked = serve({ [`GET ${ACCOUNTS}`]: [refusal(401, "code_refused"), refusal(403, "forbidden")] });
    expect(await statusOf(api.GET("/api/v1/accounts"))).toBe(401);
    expect(await statusOf(api.GET("/api/v1/accounts"))).toBe(403);
    expect(paths(asked)).toEqual([ACCOUNTS, ACCOUNTS]);
  });
});
