import { expect, test } from "vitest";
import { ranked } from "../../src/conversation/ranking";

const titles = ["On call, week 47", "Release 1.4", "Café and lunch", "The call for release"];
const found = (query: string) =>
  ranked(
    titles.map((title) => ({ title, href: title })),
    query,
  ).map(({ title }) => title);

test("a title that starts with the query goes first", () => {
  expect(found("rel")).toEqual(["Release 1.4", "The call for release"]);
});

test("every word must be there, in any order", () => {
  expect(found("release call")).toEqual(["The call for release"]);
});

test("case and accents do not matter", () => {
  expect(found("CAFE")).toEqual(["Café and lunch"]);
});

test("what is in no title finds nothing", () => {
  expect(found("xyz")).toEqual([]);
});
