import { expect, test } from "vitest";
import { namesOf, withoutReaction, withReaction } from "../../src/conversation/reactions";

const names: Record<number, string> = { 1: "ada", 2: "grace", 3: "linus" };
const nameOf = (id: number) => names[id] ?? `user ${id}`;

test("once is as good as twice", () => {
  const once = withReaction([], "👍", 1);
  expect(withReaction(once, "👍", 1)).toEqual(once);
  expect(withReaction(once, "👍", 2)).toEqual([{ emoji: "👍", user_ids: [1, 2] }]);
});

test("whatever the order in which they came, they stand in the order of their emoji", () => {
  const one = withReaction(withReaction([], "🎉", 1), "👍", 2);
  const other = withReaction(withReaction([], "👍", 2), "🎉", 1);
  expect(one).toEqual(other);
});

test("an emoji that nobody means any more is gone", () => {
  const both = withReaction(withReaction([], "👍", 1), "👍", 2);
  const left = withoutReaction(both, "👍", 1);
  expect(left).toEqual([{ emoji: "👍", user_ids: [2] }]);
  expect(withoutReaction(left, "👍", 2)).toEqual([]);
  expect(withoutReaction(left, "🎉", 2)).toEqual(left);
});

test("the reader stands first among the names, and many are summed up", () => {
  expect(namesOf([2, 1], 1, nameOf)).toBe("You and grace");
  expect(namesOf([2, 3], 1, nameOf)).toBe("grace and linus");
  expect(namesOf([1, 2, 3, 4, 5, 6, 7], 1, nameOf)).toBe(
    "You, grace, linus, user 4, user 5, and 2 others",
  );
});
