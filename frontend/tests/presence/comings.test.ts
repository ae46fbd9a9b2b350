import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Comings, comingsBetween, sentenceOf } from "../../src/presence/comings";

function people(...names: string[]): Map<number, { username: string }> {
  return new Map(names.map((username) => [username.charCodeAt(0), { username }]));
}

test("the reader neither comes nor leaves", () => {
  const own = "a".charCodeAt(0);
  expect(comingsBetween(people("ada"), people("grace"), own)).toEqual({
    came: ["grace"],
    left: [],
  });
});

test("few are named, many are counted", () => {
  expect(sentenceOf(["grace"], [])).toBe("grace is here.");
  expect(sentenceOf(["grace", "linus"], ["tim"])).toBe("grace and linus are here. tim has left.");
  expect(sentenceOf([], ["a", "b", "c", "d"])).toBe("4 people have left.");
  expect(sentenceOf([], [])).toBe("");
});

describe("what is said of comings and goings", () => {
  let said: string[];
  let comings: Comings;

  beforeEach(() => {
    vi.useFakeTimers();
    said = [];
    comings = new Comings(0, (sentence) => said.push(sentence));
  });
  afterEach(() => vi.useRealTimers());

  test("leaves out who was here before", () => {
    comings.see(people("grace", "linus"));
    vi.runAllTimers();
    expect(said).toEqual([]);
  });

  test("is one sentence for all of a moment", () => {
    comings.see(people("grace"));
    comings.see(people("grace", "linus"));
    comings.see(people("linus", "tim"));
    vi.runAllTimers();
    expect(said).toEqual(["linus and tim are here. grace has left."]);
  });

  test("is nothing for somebody who only reloaded", () => {
    comings.see(people("grace", "linus"));
    vi.runAllTimers();
    comings.see(people("grace"));
    comings.see(people("grace", "linus"));
    vi.runAllTimers();
    expect(said).toEqual([]);
  });
});
