import { beforeEach, expect, test } from "vitest";
import { ActivityWatch, type Clock } from "../../src/presence/activity";
import type { Activity } from "../../src/presence/person";

const MINUTE = 60_000;

/** Time that stands still until a test moves it. */
class StoppedClock implements Clock {
  #now = 0;
  #next = 1;
  readonly #timers = new Map<number, { at: number; callback: () => void }>();

  now = (): number => this.#now;

  wait = (callback: () => void, ms: number): number => {
    this.#timers.set(this.#next, { at: this.#now + ms, callback });
    return this.#next++;
  };

  cancel = (timer: number): void => {
    this.#timers.delete(timer);
  };

  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end);
      const first = due.sort(([, one], [, other]) => one.at - other.at)[0];
      if (first === undefined) break;
      this.#timers.delete(first[0]);
      this.#now = first[1].at;
      first[1].callback();
    }
    this.#now = end;
  }

  get waiting(): number {
    return this.#timers.size;
  }
}

let clock: StoppedClock;
let told: Activity[];
let watch: ActivityWatch;

beforeEach(() => {
  clock = new StoppedClock();
  told = [];
  watch = new ActivityWatch(clock, (activity) => told.push(activity));
});

test("a reader who stays active is told of once a minute, however much they do", () => {
  for (let second = 1; second <= 600; second += 1) {
    clock.pass(1_000);
    watch.noticeInput();
  }
  expect(told).toEqual(Array(10).fill("active"));
});

test("nothing is told of a reader who does nothing yet", () => {
  clock.pass(4 * MINUTE);
  expect(told).toEqual([]);
});

test("five minutes after the last input the reader is idle, and active with the next", () => {
  clock.pass(4 * MINUTE);
  watch.noticeInput();
  clock.pass(5 * MINUTE - 1);
  expect(told).toEqual(["active"]);
  clock.pass(1);
  expect(told).toEqual(["active", "idle"]);
  clock.pass(MINUTE);
  watch.noticeInput();
  expect(told).toEqual(["active", "idle", "active"]);
});

test("ten minutes after the page was hidden the reader is away, and active when it is shown", () => {
  watch.setVisible(false);
  clock.pass(10 * MINUTE);
  expect(told).toEqual(["idle", "away"]);
  clock.pass(60 * MINUTE);
  watch.setVisible(true);
  expect(told).toEqual(["idle", "away", "active"]);
});

test("a page that is hidden for a moment tells nothing", () => {
  watch.setVisible(false);
  clock.pass(MINUTE);
  watch.setVisible(true);
  clock.pass(4 * MINUTE);
  expect(told).toEqual([]);
});

test("a page that is reported hidden again and again is hidden since the first time", () => {
  watch.setVisible(false);
  clock.pass(6 * MINUTE);
  watch.setVisible(false);
  clock.pass(4 * MINUTE);
  expect(told.at(-1)).toBe("away");
});

test("what changes within five seconds is told later, as it is then", () => {
  clock.pass(5 * MINUTE);
  clock.pass(1_000);
  watch.noticeInput();
  expect(told).toEqual(["idle"]);
  clock.pass(4_000);
  expect(told).toEqual(["idle", "active"]);
});

test("there is one timer, however much input there is", () => {
  for (let key = 0; key < 1_000; key += 1) watch.noticeInput();
  expect(clock.waiting).toBe(1);
});
