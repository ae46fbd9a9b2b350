import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Place, placesOf, Whereabouts } from "../../src/presence/whereabouts";

const LAUNCH = { topic: "conversation:1", title: "Launch" };
const LUNCH = { topic: "conversation:2", title: "Lunch" };

let asked: string[][];
let found: ReadonlyMap<number, Place> | null;
let answer: () => Promise<ReadonlyMap<string, readonly number[]>>;
const lobby = {
  isJoined: true,
  viewers: (topics: readonly string[]) => {
    asked.push([...topics]);
    return answer();
  },
};

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  found = null;
  lobby.isJoined = true;
  answer = () => Promise.resolve(new Map([[LAUNCH.topic, [2]]]));
});
afterEach(() => vi.useRealTimers());

function whereabouts(): Whereabouts {
  return new Whereabouts(
    lobby,
    () => [LAUNCH, LUNCH],
    (places) => {
      found = places;
    },
  );
}

test("who looks at several conversations is in the liveliest", () => {
  const viewers = new Map([
    [LUNCH.topic, [1, 2]],
    [LAUNCH.topic, [2, 3]],
  ]);
  const places = placesOf(viewers, [LAUNCH, LUNCH]);
  expect([...places].map(([id, { title }]) => [id, title])).toEqual([
    [2, "Launch"],
    [3, "Launch"],
    [1, "Lunch"],
  ]);
});

test("it is asked for once, then again in a while", async () => {
  await whereabouts().ask();
  expect(asked).toEqual([[LAUNCH.topic, LUNCH.topic]]);
  expect(found?.get(2)).toEqual(LAUNCH);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveLength(2);
});

test("without a line nobody is asked, and with one again they are", async () => {
  lobby.isJoined = false;
  await whereabouts().ask();
  expect(asked).toEqual([]);
  lobby.isJoined = true;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveLength(1);
});

test("a refusal leaves what was shown, and is tried again", async () => {
  const one = whereabouts();
  await one.ask();
  answer = () => Promise.reject(new Error("Too fast."));
  await one.ask();
  expect(found?.get(2)).toEqual(LAUNCH);
  answer = () => Promise.resolve(new Map());
  await vi.advanceTimersByTimeAsync(20_000);
  expect(found?.size).toBe(0);
});
