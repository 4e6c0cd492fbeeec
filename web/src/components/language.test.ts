import { expect, test } from "vitest";

import { isForeign, languageName, langOf, ownName } from "./language";

test("languages have names, and names of their own", () => {
  expect(languageName("hi")).toBe("Hindi");
  expect(languageName("en-IN")).toBe("English (India)");
  expect(ownName("hi")).toBe("हिन्दी");
  expect(languageName("not a tag")).toBe("not a tag");
});

test("what is not in the pages' own language is marked", () => {
  expect([isForeign("en"), isForeign("en-IN"), isForeign("hi-IN"), isForeign("enm")]).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(langOf("आपका बैलेंस 500 rupees है")).toBe("hi");
  expect(langOf("mera balance batao")).toBeUndefined();
});
