import { afterEach, beforeEach, expect, test } from "vitest";
import "../../src/conversation/running_answer";
import type { RunningAnswer } from "../../src/conversation/running_answer";

const drawn = () => new Promise((resolve) => requestAnimationFrame(resolve));

let answer: RunningAnswer;

beforeEach(() => {
  answer = document.createElement("running-answer") as RunningAnswer;
  document.body.append(answer);
});
afterEach(() => answer.remove());

/** What is seen after each piece more. */
async function seen(...pieces: string[]): Promise<string[]> {
  const all: string[] = [];
  let text = "";
  for (const piece of pieces) {
    text += piece;
    answer.text = text;
    await drawn();
    all.push(answer.innerHTML.replace(/<span class="line"[^>]*>|<\/span>/gu, ""));
  }
  return all;
}

const PAD = "so many words that nothing is thought to begin here ";

test("what is bold is bold from its first word on, and no mark is seen alone", async () => {
  expect(await seen(PAD, "2 **", "The", " alerts", "*", "*", " fire")).toEqual([
    PAD,
    `${PAD}2 `,
    `${PAD}2 <strong>The</strong>`,
    `${PAD}2 <strong>The alerts</strong>`,
    `${PAD}2 <strong>The alerts</strong>`,
    `${PAD}2 <strong>The alerts</strong>`,
    `${PAD}2 <strong>The alerts</strong> fire`,
  ]);
});

test("code is code while it is written", async () => {
  expect(await seen("use `con", "tinue", "`", " there")).toEqual([
    "use <code>con</code>",
    "use <code>continue</code>",
    "use <code>continue</code>",
    "use <code>continue</code> there",
  ]);
});

test("a mark that marks nothing is shown with what follows it", async () => {
  expect(await seen(PAD, "2 *", " 3 is", " 6")).toEqual([
    PAD,
    `${PAD}2 `,
    `${PAD}2 * 3 is`,
    `${PAD}2 * 3 is 6`,
  ]);
});

test("what was begun and never closed is shown as it was said once its line is whole", async () => {
  expect((await seen("a **b", "\n")).at(-1)).toBe("a **b");
});

test("an item of a list and a heading look so from their first words on", async () => {
  expect(await seen("- it", "em\n", "## Ti", "tle")).toEqual([
    "• it",
    "• item",
    "• item<strong>Ti</strong>",
    "• item<strong>Title</strong>",
  ]);
  expect(answer.querySelector(".line")?.getAttribute("data-depth")).toBe("1");
});

test("however it comes, the same is seen in the end", async () => {
  const text = `${PAD}**a** b \`c*d\` *e* 2 * 3\n\n1. **x** y\n  - \`z\`\n# T\n\`\`\`py\nif **x**:\n\`\`\`\nend\n`;
  await seen(text);
  const whole = answer.innerHTML;
  for (const size of [1, 2, 3, 7]) {
    const other = document.createElement("running-answer") as RunningAnswer;
    document.body.append(other);
    for (let end = size; end < text.length + size; end += size) {
      other.text = text.slice(0, end);
      await drawn();
    }
    expect(other.innerHTML).toBe(whole);
    other.remove();
  }
});
