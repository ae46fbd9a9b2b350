import { expect, test } from "vitest";
import type { ConversationStart } from "../../src/conversation/message";
import type { JoinReply } from "../../src/conversation/room";
import type { LiveRun } from "../../src/conversation/runs";
import { ConversationState } from "../../src/conversation/state";
import { ada, answered, grace, said } from "./people";

const start = (): ConversationStart => ({
  conversation: { id: "c", title: "Demo", assistant: "mention" },
  user: ada,
  members: [
    { ...ada, role: "owner" },
    { ...grace, role: "member" },
  ],
  messages: [said(ada, 1), said(grace, 2)],
  seq: 2,
  has_more: false,
});
const page = () =>
  new ConversationState(start(), {
    fetchRun: () => Promise.reject(new Error("not here")),
    changed: () => undefined,
  });
const first = said(ada, 1);

/** What a conversation goes through, in the words of its topic. */
const FACTS: [string, Record<string, unknown>][] = [
  ["reaction_added", { seq: 3, message_id: first.id, emoji: "🎉", user: grace }],
  ["reaction_added", { seq: 4, message_id: first.id, emoji: "👍", user: ada }],
  [
    "message_pinned",
    { seq: 5, message_id: first.id, pinned_at: "2026-06-01T12:00:00.000Z", by: ada },
  ],
  [
    "message_edited",
    { seq: 6, message: { ...first, body: "better", revision: 2, pinned_at: "x" }, by: ada },
  ],
  ["reaction_removed", { seq: 7, message_id: first.id, emoji: "🎉", user: grace }],
  [
    "message_sent",
    {
      message: { ...said(grace, 8), thread_id: first.id },
      root: { id: first.id, reply_count: 1, last_reply_at: null },
    },
  ],
  ["message_sent", { message: said(grace, 9) }],
  ["message_deleted", { seq: 10, message: { ...said(grace, 9, ""), deleted_at: "x" }, by: grace }],
  ["member_removed", { seq: 11, member: { ...grace, role: "member" }, by: null }],
];

test("facts told twice, as after a return, leave the page as once", () => {
  const once = page();
  const twice = page();
  for (const [event, payload] of FACTS) once.apply(event, payload);
  for (const [event, payload] of [...FACTS, ...FACTS]) twice.apply(event, payload);
  expect(twice.timeline.messages).toEqual(once.timeline.messages);
  expect(twice.timeline.thread(first.id)).toEqual(once.timeline.thread(first.id));
  expect(twice.pins).toEqual(once.pins);
  expect(twice.timeline.lastSeq).toBe(11);
  expect([...twice.members.keys()]).toEqual([ada.id]);
});

test("a reply in a thread counts at its root and stays out of the main line", () => {
  const state = page();
  for (const [event, payload] of FACTS.slice(0, 6)) state.apply(event, payload);
  expect(state.timeline.messages.map(({ seq }) => seq)).toEqual([1, 2]);
  expect(state.timeline.get(first.id)?.reply_count).toBe(1);
  expect(state.timeline.thread(first.id)).toHaveLength(1);
});

test("an answer that is complete is shown by its message, not by its run", () => {
  const state = page();
  const running = answered(3, { status: "running", seq: 0 });
  state.apply("message_sent", { message: running });
  expect(state.runOf(running)?.status).toBe("running");
  const done = { ...answered(3, { status: "finished", seq: 9 }, "all of it"), revision: 1 };
  state.apply("message_completed", { seq: 4, message: done });
  expect(state.runs.active).toEqual([]);
  const held = state.timeline.get(done.id);
  expect(held?.html).toBe("<p>all of it</p>");
  expect(held && state.runOf(held)?.status).toBe("finished");
});

test("a message ends its author's typing without waiting to be told", () => {
  const state = page();
  state.apply("typing_changed", {
    typing: [{ user: grace, thread_id: null, expires_in_ms: 10_000 }],
  });
  expect(state.typing).toHaveLength(1);
  state.apply("message_sent", { message: said(grace, 3) });
  expect(state.typing).toEqual([]);
});

test("a join that starts afresh forgets what was held and takes what it gives", () => {
  const state = page();
  const reply: JoinReply = {
    ...start(),
    reset: true,
    messages: [said(grace, 90)],
    seq: 90,
    runs: [],
    pins: ["p"],
    receipts: [{ user_id: grace.id, thread_id: null, delivered_seq: 90, read_seq: 90 }],
  };
  state.join(reply);
  expect(state.timeline.messages.map(({ seq }) => seq)).toEqual([90]);
  expect(state.pins).toEqual(["p"]);
  expect(state.receipts.own(grace.id)).toBe(90);
});

test("whoever asked and owners may stop an answer", () => {
  const state = page();
  expect(state.mayDirect({ started_by: grace })).toBe(true);
  state.apply("member_changed", { seq: 3, member: { ...ada, role: "member" }, by: null });
  expect(state.mayDirect({ started_by: grace })).toBe(false);
  expect(state.mayDirect({ started_by: ada })).toBe(true);
});

test("what a selection brings into sight is shown by a page that has never had it", () => {
  const state = page();
  const hidden = {
    ...said(grace, 3),
    branch_of: "three",
    branch: { index: 1, count: 2, selected: true },
  };
  const held = {
    ...said(grace, 5),
    branch_of: "three",
    branch: { index: 2, count: 2, selected: true },
  };
  const answer = { ...answered(4, { status: "finished", seq: 9 }), parent_id: hidden.id };
  state.apply("message_sent", { message: held });
  state.apply("branch_selected", {
    seq: 6,
    branch_of: "three",
    message_id: hidden.id,
    by: ada,
    messages: [hidden, answer],
  });
  expect(state.timeline.messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test("marks that somebody shares no more are forgotten, but for one's own", () => {
  const state = page();
  const marks = [ada, grace].map(({ id }) => ({
    user_id: id,
    thread_id: null,
    delivered_seq: 2,
    read_seq: 2,
  }));
  state.apply("receipts_changed", { receipts: marks, receipt_counts: null });
  state.apply("receipts_changed", { receipts: [], receipt_counts: null, retracted: marks });
  expect(state.receipts.own(grace.id)).toBe(0);
  expect(state.receipts.own(ada.id)).toBe(2);
});

test("what a running answer quotes of a deleted message is shown no more", () => {
  const state = page();
  const link = (seq: number) =>
    `[x](/conversations/${"0".repeat(8)}-0000-7000-8000-${"0".repeat(12)}/#message-${seq})`;
  const line = (seq: number, words: string) => `- ${link(seq)}: ${words}`;
  const found = `Look:\n\n${line(1, "stays")}\n${line(2, "a secret")}\nAnd`;
  const answer = answered(3, { status: "running", seq: 1 });
  const part = {
    ...{ type: "tool" as const, id: "1", name: "search_messages", title: "", offset: 0 },
    ...{ arguments: {}, status: "done" as const, result: found, approval: null },
  };
  const run = { ...answer.run, text: found, parts: [part] } as LiveRun;
  state.apply("message_sent", { message: answer });
  state.runs.take(run);
  expect(state.runOf(answer)).toBe(state.runs.get("run-3"));
  const gone = { ...said(grace, 2, ""), revision: 2, deleted_at: "x" };
  state.apply("message_deleted", { seq: 4, message: gone, by: grace });
  const event = { run_id: "run-3", message_id: answer.id, type: "TEXT_MESSAGE_CONTENT" };
  state.apply("run_event", { ...event, seq: 2, offset: found.length, delta: " more" });
  const shown = state.runOf(answer) as LiveRun;
  const cleared = `Look:\n\n${line(1, "stays")}\n${line(2, "(deleted)")}\nAnd`;
  expect(shown.text).toBe(`${cleared} more`);
  expect(shown.parts[0]?.result).toBe(cleared);
});
