import { afterEach, expect, test, vi } from "vitest";

import { session } from "./session";

afterEach(() => {
  vi.unstubAllGlobals();
  session.end();
});

/** What a browser is like that keeps nothing for its pages. */
function refuseStorage() {
  const refuse = () => {
    throw new DOMException("The operation is insecure.", "SecurityError");
  };
  vi.stubGlobal("localStorage", { getItem: refuse, setItem: refuse, removeItem: refuse });
}

test("a log-in and its end are known to every tab", () => {
  expect([session.kind, session.isOver]).toEqual([null, true]);
  session.begin("admin");
  expect([session.kind, session.isOver]).toEqual(["admin", false]);
  expect(Object.values({ ...localStorage })).toEqual(["admin"]);
  localStorage.clear(); // Another tab logs out.
  expect([session.kind, session.isOver]).toEqual([null, true]);
});

test("what somebody else has written there is nobody's log-in", () => {
  session.begin("guest");
  localStorage.setItem(Object.keys({ ...localStorage })[0]!, "root");
  expect(session.kind).toBeNull();
});

test("where nothing is kept, a page knows what it did itself, and takes nobody for logged out before", () => {
  refuseStorage();
  expect([session.kind, session.isOver]).toEqual([null, false]);
  session.begin("customer");
  expect([session.kind, session.isOver]).toEqual(["customer", false]);
  session.end();
  expect([session.kind, session.isOver]).toEqual([null, false]);
});

test("where storage is full, a log-in still holds on its page", () => {
  const full = () => {
    throw new DOMException("Full.", "QuotaExceededError");
  };
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: full, removeItem: () => undefined });
  session.begin("admin");
  expect([session.kind, session.isOver]).toEqual(["admin", false]);
  session.end();
  expect([session.kind, session.isOver]).toEqual([null, true]);
});
