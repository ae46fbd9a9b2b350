import { expect, test } from "vitest";
import { segmentsOf } from "../../src/conversation/links";

const hrefs = (text: string) =>
  segmentsOf(text).flatMap((segment) => ("href" in segment ? [segment.href] : []));

test("text without an address is one stretch", () => {
  expect(segmentsOf("just words, 3 < 4")).toEqual([{ text: "just words, 3 < 4" }]);
  expect(segmentsOf("")).toEqual([]);
});

test("an address is a link and the words around it stay words", () => {
  expect(segmentsOf("see https://example.org/a?b=1#c now")).toEqual([
    { text: "see " },
    { text: "https://example.org/a?b=1#c", href: "https://example.org/a?b=1#c" },
    { text: " now" },
  ]);
});

test("what ends the sentence or closes a bracket is not part of the address", () => {
  expect(hrefs("(at https://example.org/x).")).toEqual(["https://example.org/x"]);
  expect(hrefs("https://en.wikipedia.org/wiki/Ada_(name)!")).toEqual([
    "https://en.wikipedia.org/wiki/Ada_(name)",
  ]);
});

test("nothing but http and https becomes a link", () => {
  for (const text of [
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "//example.org",
    "https://",
    "http://[",
  ]) {
    expect(hrefs(text)).toEqual([]);
  }
});

test("joined stretches give back exactly the text", () => {
  const text = "a https://x.org/, (http://y.org) \n\t<b>https://z.org</b> https://";
  expect(
    segmentsOf(text)
      .map((segment) => segment.text)
      .join(""),
  ).toBe(text);
});
