import { expect, test } from "vitest";
import { rowsOf } from "../../src/conversation/grouping";
import type { UnsentMessage } from "../../src/conversation/message";
import { ada, grace, said } from "./people";

const at = (day: number, hour: number, minute: number) =>
  new Date(2026, 5, day, hour, minute).toISOString();
const shape = (rows: ReturnType<typeof rowsOf>) =>
  rows.map((row) => ("isFirst" in row ? `${row.kind}${row.isFirst ? " first" : ""}` : row.kind));
const unsent = (created_at: string): UnsentMessage => ({
  client_id: "u",
  body: "soon",
  reply_to: null,
  thread_id: null,
  attachments: [],
  is_command: false,
  created_at,
  state: "pending",
  problem: "",
});

test("one author's messages within five minutes stand under one name", () => {
  const messages = [
    said(ada, 1, "", at(1, 12, 0)),
    said(ada, 2, "", at(1, 12, 4)),
    said(ada, 3, "", at(1, 12, 10)),
    said(grace, 4, "", at(1, 12, 11)),
  ];
  expect(shape(rowsOf(messages, [], ada.id, null))).toEqual([
    "day",
    "message first",
    "message",
    "message first",
    "message first",
  ]);
});

test("a new day has a heading and starts a new group", () => {
  const messages = [said(ada, 1, "", at(1, 23, 59)), said(ada, 2, "", at(2, 0, 1))];
  expect(shape(rowsOf(messages, [], ada.id, null))).toEqual([
    "day",
    "message first",
    "day",
    "message first",
  ]);
});

test("the divider stands before the first unread message of somebody else and counts them", () => {
  const messages = [
    said(grace, 1, "", at(1, 12, 0)),
    said(ada, 2, "", at(1, 12, 1)),
    said(grace, 3, "", at(1, 12, 2)),
    said(grace, 4, "", at(1, 12, 3)),
  ];
  const rows = rowsOf(messages, [], ada.id, 1);
  expect(shape(rows)).toEqual([
    "day",
    "message first",
    "message first",
    "new",
    "message first",
    "message",
  ]);
  expect(rows.find((row) => row.kind === "new")).toMatchObject({ count: 2 });
});

test("own messages alone are nothing new", () => {
  const rows = rowsOf([said(ada, 2)], [], ada.id, 1);
  expect(shape(rows)).not.toContain("new");
});

test("unsent messages come last and join the author's group", () => {
  const rows = rowsOf([said(ada, 1, "", at(1, 12, 0))], [unsent(at(1, 12, 2))], ada.id, null);
  expect(shape(rows)).toEqual(["day", "message first", "unsent"]);
});

test("a message keeps its row when it turns from unsent to sent", () => {
  const sent = { ...said(ada, 1), client_id: "u" };
  const before = rowsOf([], [unsent(sent.created_at)], ada.id, null).at(-1);
  const after = rowsOf([sent], [], ada.id, null).at(-1);
  expect(after?.key).toBe(before?.key);
});
