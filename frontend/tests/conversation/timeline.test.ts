import { expect, test } from "vitest";
import { Timeline } from "../../src/conversation/timeline";
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
