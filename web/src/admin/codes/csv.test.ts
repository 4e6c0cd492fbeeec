import { expect, test } from "vitest";

import { code } from "../testing";
import { codesCsv, csv, inHalves } from "./csv";

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠SUM(A1)"])(
  "a cell such as %j is no formula",
  (text) => {
    expect(csv([[text]])).toBe(`"'${text}"\r\n`);
  },
);

test("quotes are doubled, and commas and line ends stay within their cell", () => {
  expect(csv([['say "hi"', "a,b", "c\nd", ""]])).toBe('"say ""hi""","a,b","c\nd",""\r\n');
});

test("codes keep their leading zeros", () => {
  expect([inHalves("012345"), inHalves("A1B2C3D4")]).toEqual(["012-345", "A1B2-C3D4"]);
  const issued = { ...code, code: "012345", label: '=HYPERLINK("x")', max_uses: 3 };
  expect(codesCsv([issued], "https://parley.example/").split("\r\n")[1]).toBe(
    '"012-345","\'=HYPERLINK(""x"") · k3f9","\'=HYPERLINK(""x"")","3","","https://parley.example/"',
  );
});
