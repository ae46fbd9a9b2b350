import { expect, test } from "vitest";
import type { Message } from "../../src/conversation/message";
import { Timeline } from "../../src/conversation/timeline";
import { ada, said } from "./people";

const assistant = { id: 0, username: "assistant" };

function answer(seq: number, parent: Message, changes: Partial<Message> = {}): Message {
  return { ...said(assistant, seq), role: "assistant", parent_id: parent.id, ...changes };
}

const request = said(ada, 1);
const first = answer(2, request);
const second = answer(3, request, {
  branch_of: first.id,
  branch: { index: 2, count: 2, selected: true },
});
const shown = (timeline: Timeline) => timeline.messages.map(({ seq }) => seq);

test("a new alternative takes the place of the one before it, which stays known", () => {
  const timeline = new Timeline([request, first], 2, false);
  timeline.applyFact(second);
  expect(shown(timeline)).toEqual([1, 3]);
  expect(timeline.get(first.id)?.branch).toEqual({ index: 1, count: 2, selected: false });
  expect(timeline.siblings(second).map(({ seq }) => seq)).toEqual([2, 3]);
});

test("another alternative is shown when somebody chooses it", () => {
  const timeline = new Timeline([request, first], 2, false);
  timeline.applyFact(second);
  timeline.applySelection(first.id, first.id);
  expect(shown(timeline)).toEqual([1, 2]);
  expect(timeline.get(second.id)?.branch).toEqual({ index: 2, count: 2, selected: false });
});

test("an answer goes with its request, what people wrote after it stays", () => {
  const other = said(ada, 4, "another wording");
  const timeline = new Timeline([request, first, said(ada, 3)], 3, false);
  timeline.applyFact({
    ...other,
    branch_of: request.id,
    branch: { index: 2, count: 2, selected: true },
  });
  expect(shown(timeline)).toEqual([3, 4]);
});
