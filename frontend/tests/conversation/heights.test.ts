import { expect, test } from "vitest";
import { Heights } from "../../src/conversation/heights";

/** Numbers that look random and are the same every time. */
function* numbers(seed: number): Generator<number, number> {
  let value = seed;
  for (;;) {
    value = (value * 48_271) % 2_147_483_647;
    yield value;
  }
}

test.each([1, 2, 3, 7, 8, 100, 1_000])(
  "sums and places are those of a plain list of %d",
  (count) => {
    const random = numbers(count);
    const plain = Array.from({ length: count }, () => random.next().value % 90);
    const heights = new Heights(count, (index) => plain[index] ?? 0);
    for (let round = 0; round < 50; round += 1) {
      const changed = random.next().value % count;
      plain[changed] = random.next().value % 200;
      heights.set(changed, plain[changed] ?? 0);
      const place = random.next().value % (count + 1);
      const below = plain.slice(0, place).reduce((sum, height) => sum + height, 0);
      expect(heights.below(place)).toBe(below);
      const distance = random.next().value % (heights.total + 50);
      const begins = plain.map((_, index) => heights.below(index));
      expect(heights.indexAt(distance)).toBe(begins.findLastIndex((begin) => begin <= distance));
    }
    expect(heights.indexAt(-1)).toBe(0);
  },
);

test("of nothing there is nothing", () => {
  const heights = new Heights(0, () => 0);
  expect([heights.total, heights.below(0), heights.indexAt(10)]).toEqual([0, 0, 0]);
});
