import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Announcer } from "../src/announcer";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("what comes within a moment is read out as one, and much of it as a number", () => {
  const region = document.createElement("div");
  const announcer = new Announcer(region);
  announcer.say("one");
  announcer.say("two");
  vi.advanceTimersByTime(1000);
  expect(region.textContent).toBe("one two");

  for (let number = 0; number < 8; number += 1) {
    announcer.say("new", (count) => `${String(count)} messages`);
  }
  vi.advanceTimersByTime(1000);
  expect(region.textContent).toBe("8 messages");
});

test("what was read out does not stay in the page", () => {
  const region = document.createElement("div");
  const announcer = new Announcer(region);
  announcer.say("grace: a secret");
  vi.advanceTimersByTime(20_000);
  announcer.say("grace: another");
  vi.advanceTimersByTime(20_000);
  expect(region.textContent).toBe("grace: another");
  vi.advanceTimersByTime(20_000);
  expect(region.textContent).toBe("");
});
