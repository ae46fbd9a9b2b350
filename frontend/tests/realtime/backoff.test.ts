import { expect, test } from "vitest";
import { reconnectDelay, rejoinDelay } from "../../src/realtime/backoff";

test("the first return is quick and later ones slow down to ten seconds", () => {
  const slowest = (tries: number) => reconnectDelay(tries, 0, () => 1);
  expect([1, 2, 3, 4, 5, 6, 7, 50].map(slowest)).toEqual([
    250, 500, 1000, 2000, 4000, 8000, 10000, 10000,
  ]);
});

test("two pages with the same number of tries do not come back together", () => {
  expect(reconnectDelay(7, 0, () => 0)).toBe(5000);
  expect(reconnectDelay(7, 0, () => 0.5)).toBe(7500);
});

test("a page never comes back before the time that the server asked for", () => {
  for (const random of [0, 0.3, 1]) {
    expect(reconnectDelay(1, 6000, () => random)).toBeGreaterThanOrEqual(6000);
  }
});

test("a refused join is tried again ever more slowly", () => {
  expect([1, 2, 3, 4, 5, 6].map((tries) => rejoinDelay(tries, () => 1))).toEqual([
    1000, 2000, 4000, 8000, 16000, 30000,
  ]);
});
