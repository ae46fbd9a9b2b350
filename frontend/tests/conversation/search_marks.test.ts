import { expect, test } from "vitest";
import { patternOf, stretchesOf } from "../../src/conversation/search_marks";

test("what was looked for stands out from what stands between", () => {
  const snippet = { text: "a train is late", highlights: [[2, 7] as const, [11, 15] as const] };
  expect(stretchesOf(snippet)).toEqual([
    { text: "a ", isHit: false },
    { text: "train", isHit: true },
    { text: " is ", isHit: false },
    { text: "late", isHit: true },
  ]);
});

test("nothing is lost or doubled where places touch or overlap", () => {
  const snippet = { text: "abcdef", highlights: [[0, 3] as const, [2, 4] as const] };
  const stretches = stretchesOf(snippet);
  expect(stretches.map(({ text }) => text).join("")).toBe("abcdef");
});

test("words are looked for at their beginnings, and signs in a query are no pattern", () => {
  const hits = (text: string, query: string) =>
    [...text.matchAll(patternOf(query) ?? /$^/gu)].map(([hit]) => hit);
  expect(hits("Deploy the deployment, redeploy never", "deploy")).toEqual(["Deploy", "deploy"]);
  expect(hits("Grüße an Ádám", "grü ádá")).toEqual(["Grü", "Ádá"]);
  expect(hits("a.b (c) *", "(.* c")).toEqual(["c"]);
  expect(patternOf("***")).toBeNull();
});
