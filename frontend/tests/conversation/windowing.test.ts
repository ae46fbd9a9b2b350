import { expect, test } from "vitest";
import { isWorthDrawing, Windowing } from "../../src/conversation/windowing";

const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}`);

function listOf(count: number, height = 50): Windowing {
  const list = new Windowing();
  list.keys = keys(count);
  for (const index of keys(count).keys()) list.measured(index, height);
  return list;
}

test("a short list is drawn whole", () => {
  expect(listOf(Windowing.WHOLE).range(0, 800)).toEqual({
    start: 0,
    end: Windowing.WHOLE,
    above: 0,
    below: 0,
  });
});

test("of a long one only the rows near the view are drawn, and nothing is lost of its height", () => {
  const list = listOf(10_000);
  for (const scrolled of [0, 5_000, 250_000, 499_200]) {
    const { start, end, above, below } = list.range(scrolled, 800);
    expect(above + (end - start) * 50 + below).toBe(500_000);
    expect(end - start).toBeLessThan(55);
    // The view and something beyond it on both sides.
    expect(below).toBeLessThanOrEqual(Math.max(0, scrolled - 700));
    expect(below + (end - start) * 50).toBeGreaterThanOrEqual(Math.min(500_000, scrolled + 1_500));
  }
});

test("the end is drawn without a gap below it", () => {
  const { end, below } = listOf(500).range(0, 800);
  expect([end, below]).toEqual([500, 0]);
});

test("rows that were never drawn count with an estimate, and then with what they are", () => {
  const list = new Windowing();
  list.keys = keys(1_000);
  const before = list.range(0, 800);
  expect(list.measured(999, 500)).toBe(true);
  expect(list.measured(999, 500)).toBe(false);
  expect(list.range(0, 800).start).toBeGreaterThan(before.start);
});

test("history put in before changes no distance from the end", () => {
  const list = listOf(200);
  const before = list.bottomOf("k100");
  list.keys = ["older", "oldest", ...keys(200)];
  expect(list.bottomOf("k100")).toBe(before);
  expect(list.bottomOf("nobody")).toBeNull();
});

test("a row keeps its height when others come before it, and while it is not drawn", () => {
  const list = listOf(300);
  list.measured(0, 470);
  list.keys = ["older", ...keys(300)];
  expect(list.bottomOf("older")).toBe(299 * 50 + 470);
  list.measured(1, 70);
  expect(list.bottomOf("older")).toBe(299 * 50 + 70);
});

test("after the width has changed only estimates are left", () => {
  const list = listOf(200, 10);
  list.forget();
  expect(list.bottomOf("k0")).toBe(199 * Windowing.ESTIMATE_PX);
});

test("a small step is not worth drawing, but the very end always is", () => {
  const drawn = { start: 100, end: 180, above: 1, below: 1 };
  expect(isWorthDrawing(drawn, { ...drawn, start: 103, end: 183 }, 1_000)).toBe(false);
  expect(isWorthDrawing(drawn, { ...drawn, start: 110, end: 190 }, 1_000)).toBe(true);
  expect(isWorthDrawing(drawn, { ...drawn, end: 182 }, 182)).toBe(true);
  const atEnd = { start: 100, end: 182, above: 1, below: 0 };
  expect(isWorthDrawing(atEnd, { ...atEnd, start: 101 }, 182)).toBe(false);
});
