import { expect, test } from "vitest";
import { DELIVERED_MS, READ_MS, Reading } from "../../src/conversation/reading";

function desk(readSeq = 0) {
  const told: [string, number][] = [];
  let timers: { callback: () => void; ms: number; id: number }[] = [];
  let seen: number | null = null;
  let next = 1;
  const reading = new Reading(readSeq, {
    seenSeq: () => seen,
    push: (event, seq) => told.push([event, seq]),
    wait: (callback, ms) => {
      timers.push({ callback, ms, id: next });
      next += 1;
      return next - 1;
    },
    forget: (id) => {
      timers = timers.filter((timer) => timer.id !== id);
    },
  });
  return {
    reading,
    told,
    see: (seq: number | null) => {
      seen = seq;
      reading.look();
    },
    pass: (ms: number) => {
      const due = timers.filter((timer) => timer.ms === ms);
      timers = timers.filter((timer) => timer.ms !== ms);
      for (const { callback } of due) callback();
    },
  };
}

test("what was in view for a second is read, and told once", () => {
  const { reading, told, see, pass } = desk();
  see(4);
  expect(told).toEqual([]);
  pass(READ_MS);
  see(4);
  pass(READ_MS);
  expect(told).toEqual([["mark_read", 4]]);
  expect(reading.readSeq).toBe(4);
});

test("a glance that ends before the second is over reads nothing", () => {
  const { told, see, pass } = desk();
  see(4);
  see(null);
  pass(READ_MS);
  expect(told).toEqual([]);
});

test("what comes meanwhile waits for a second of its own", () => {
  const { told, see, pass } = desk();
  see(4);
  see(9);
  pass(READ_MS);
  expect(told).toEqual([["mark_read", 4]]);
  pass(READ_MS);
  expect(told).toEqual([
    ["mark_read", 4],
    ["mark_read", 9],
  ]);
});

test("what another device has read is not told again", () => {
  const { reading, told, see, pass } = desk();
  reading.moveTo(9);
  see(7);
  pass(READ_MS);
  expect(told).toEqual([]);
});

test("arrivals are told together, and not where they have been read already", () => {
  const { reading, told, see, pass } = desk();
  reading.arrived(3);
  reading.arrived(5);
  pass(DELIVERED_MS);
  expect(told).toEqual([["mark_delivered", 5]]);
  reading.arrived(6);
  see(6);
  pass(READ_MS);
  pass(DELIVERED_MS);
  expect(told).toEqual([
    ["mark_delivered", 5],
    ["mark_read", 6],
  ]);
});

test("what was said while nobody listened is said again once the server does", () => {
  const { reading, told, see, pass } = desk();
  see(4);
  pass(READ_MS);
  expect(told.splice(0)).toEqual([["mark_read", 4]]);
  reading.moveTo(2);
  reading.again();
  expect(told).toEqual([["mark_read", 4]]);
});

test("what the server knows is not said again", () => {
  const { reading, told, see, pass } = desk();
  see(4);
  pass(READ_MS);
  reading.moveTo(4);
  told.length = 0;
  reading.again();
  pass(READ_MS);
  pass(DELIVERED_MS);
  expect(told).toEqual([]);
});

test("what had arrived but was told to nobody is told again", () => {
  const { reading, told, pass } = desk();
  reading.arrived(5);
  pass(DELIVERED_MS);
  expect(told.splice(0)).toEqual([["mark_delivered", 5]]);
  reading.again();
  pass(DELIVERED_MS);
  expect(told).toEqual([["mark_delivered", 5]]);
});
