import { expect, test } from "vitest";
import { marked } from "../../src/conversation/search_marks";

const hits = (text: string, query: string) =>
  marked(text, query)
    .filter(({ isHit }) => isHit)
    .map(({ text: hit }) => hit);

test("the beginnings of words that were asked for stand out", () => {
  expect(hits("Deploy the deployment, redeploy never", "deploy")).toEqual(["Deploy", "deploy"]);
  expect(hits("Grüße an Ádám", "grü ádá")).toEqual(["Grü", "Ádá"]);
});

test("signs in a query are no pattern", () => {
  expect(hits("a.b (c) *", "(.* c")).toEqual(["c"]);
  expect(hits("anything", "***")).toEqual([]);
});

test("a long text is shown around its first hit", () => {
  const [start] = marked(`${"word ".repeat(100)}needle ${"more ".repeat(100)}`, "needle");
  expect(start?.text.startsWith("…")).toBe(true);
  const all = marked(`${"word ".repeat(100)}needle`, "needle");
  expect(all.at(-1)).toEqual({ text: "needle", isHit: true });
});
