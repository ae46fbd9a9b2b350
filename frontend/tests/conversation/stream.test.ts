import { expect, test } from "vitest";
import { FenceSplitter, inlineParts, type Step } from "../../src/conversation/stream";

const TEXT = "Look:\n\n```python\nprint(`x`)\n```\nand `so` on\n``not a fence``\n";

/** What a reader would see: prose, and code in its block. */
function shown(pieces: readonly string[]): string[] {
  const splitter = new FenceSplitter();
  const steps: Step[] = [...pieces.flatMap((piece) => splitter.feed(piece)), ...splitter.end()];
  const seen: string[] = [];
  let last = "";
  for (const step of steps) {
    if (step.kind !== "text") seen.push(step.kind === "open" ? `[${step.language}` : "]");
    else if (last === "text") seen.push((seen.pop() ?? "") + step.text);
    else seen.push(step.text);
    last = step.kind;
  }
  return seen;
}

const WHOLE = ["Look:\n\n", "[python", "print(`x`)\n", "]", "and `so` on\n``not a fence``\n"];

test("fenced code stands apart from prose", () => {
  expect(shown([TEXT])).toEqual(WHOLE);
});

test("wherever a token ends, the same is shown", () => {
  for (const size of [1, 2, 3, 5, 7, 11]) {
    const pieces = TEXT.match(new RegExp(`[^]{1,${size}}`, "gu")) ?? [];
    expect(shown(pieces)).toEqual(WHOLE);
  }
});

test("only the start of a line that may become a fence is held back", () => {
  const splitter = new FenceSplitter();
  expect(splitter.feed("word")).toEqual([{ kind: "text", text: "word" }]);
  expect(splitter.feed("\n``")).toEqual([{ kind: "text", text: "\n" }]);
  expect(splitter.feed("x")).toEqual([{ kind: "text", text: "``x" }]);
});

test("a fence inside a longer fence is code", () => {
  expect(shown(["````\n```\n````\n"])).toEqual(["[", "```\n", "]"]);
});

test("a whole line shows its bold words, its code and where it stands in a list", () => {
  expect(inlineParts("a **bold** `code` and *it*")).toEqual({
    depth: 0,
    parts: [
      { tag: null, text: "a " },
      { tag: "strong", text: "bold" },
      { tag: null, text: " " },
      { tag: "code", text: "code" },
      { tag: null, text: " and " },
      { tag: "em", text: "it" },
    ],
  });
  expect(inlineParts("## Title")).toEqual({ depth: 0, parts: [{ tag: "strong", text: "Title" }] });
  expect(inlineParts("  - item")).toEqual({ depth: 2, parts: [{ tag: null, text: "• item" }] });
  expect(inlineParts("2 * 3 * 4")).toEqual({ depth: 0, parts: [{ tag: null, text: "2 * 3 * 4" }] });
});
