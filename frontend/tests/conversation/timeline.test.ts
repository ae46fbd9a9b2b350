import { expect, test } from "vitest";
import { KEPT, MOST_HELD, Timeline } from "../../src/conversation/timeline";
import { ada, grace, said } from "./people";

const seqs = (timeline: Timeline) => timeline.messages.map(({ seq }) => seq);

test("messages stand in the order of their seq, however they arrive", () => {
  const timeline = new Timeline([said(ada, 5)], 5, true);
  timeline.applyFact(said(grace, 7));
  timeline.applyReply(said(ada, 6));
  timeline.prepend([said(ada, 3), said(grace, 4)], true);
  expect(seqs(timeline)).toEqual([3, 4, 5, 6, 7]);
});

test("a message that comes twice is held once and is new only the first time", () => {
  const timeline = new Timeline([], 0, false);
  expect(timeline.applyFact(said(ada, 1))).toBe(true);
  expect(timeline.applyFact(said(ada, 1))).toBe(false);
  expect(seqs(timeline)).toEqual([1]);
});

test("the answer to my send does not make a rejoin skip what somebody said before it", () => {
  const timeline = new Timeline([said(grace, 1)], 1, false);
  timeline.applyReply(said(ada, 3));
  expect(timeline.lastSeq).toBe(1);
  timeline.applyFact(said(grace, 2));
  timeline.applyFact(said(ada, 3));
  expect(timeline.lastSeq).toBe(3);
});

test("a fact without a message still moves the place to continue from", () => {
  const timeline = new Timeline([], 4, false);
  timeline.sawSeq(5);
  timeline.sawSeq(2);
  expect(timeline.lastSeq).toBe(5);
});

test("a reset forgets what was held and knows whether there is more before it", () => {
  const timeline = new Timeline([said(ada, 1)], 1, false);
  timeline.reset([said(grace, 90), said(ada, 91)], 91);
  expect(seqs(timeline)).toEqual([90, 91]);
  expect(timeline.hasMore).toBe(true);
  expect(timeline.get(said(ada, 1).id)).toBeUndefined();
});

test("the list is the same object until something changes", () => {
  const timeline = new Timeline([said(ada, 1)], 1, false);
  const before = timeline.messages;
  expect(timeline.messages).toBe(before);
  timeline.applyFact(said(ada, 2));
  expect(timeline.messages).not.toBe(before);
});

test("of a very long conversation a bounded part is held, and the way back to the newest is short", () => {
  const page = (low: number, high: number) =>
    Array.from({ length: high - low + 1 }, (_, index) => said(ada, low + index));
  const last = MOST_HELD + 500;
  const timeline = new Timeline(page(last - 99, last), last, true);
  for (let high = last - 100; high > 0; high -= 200) {
    timeline.prepend(page(Math.max(1, high - 199), high), high > 200);
    expect(timeline.messages.length).toBeLessThanOrEqual(MOST_HELD);
  }
  expect(timeline.isPast).toBe(true);
  expect(seqs(timeline).slice(0, 2)).toEqual([1, 2]);
  expect(timeline.get(said(ada, timeline.high + 1).id)).toBeUndefined();
  expect(timeline.newest?.seq).toBe(last);

  for (let low = timeline.high + 1; timeline.isPast; low += 200) {
    const high = Math.min(last, low + 199);
    timeline.append(page(low, high), high < last);
    expect(timeline.messages.length).toBeLessThanOrEqual(MOST_HELD);
  }
  const shown = seqs(timeline);
  expect(shown.at(-1)).toBe(last);
  expect(timeline.hasMore).toBe(true);
  expect(shown).toEqual(page(shown[0] ?? 0, last).map(({ seq }) => seq));
});

test("a page that is open for long lets go of the oldest", () => {
  const timeline = new Timeline([said(ada, 1)], 1, false);
  for (let seq = 2; seq <= MOST_HELD + 1; seq += 1) timeline.applyFact(said(grace, seq));
  timeline.trim();
  expect(timeline.messages).toHaveLength(KEPT);
  expect([timeline.hasMore, timeline.low]).toEqual([true, MOST_HELD + 2 - KEPT]);
});
