import { expect, test } from "vitest";
import type { Person, Receipt } from "../../src/conversation/message";
import { Receipts } from "../../src/conversation/receipts";
import { ada, grace, said } from "./people";

const linus: Person = { id: 3, username: "linus" };
const mark = (user: Person, read_seq: number, changes: Partial<Receipt> = {}): Receipt => ({
  user_id: user.id,
  thread_id: null,
  delivered_seq: read_seq,
  read_seq,
  ...changes,
});

test("a mark only grows, in whatever order it is told", () => {
  const receipts = new Receipts();
  receipts.replace([mark(grace, 5)]);
  receipts.apply([mark(grace, 3), mark(grace, 7), mark(grace, 6)]);
  expect(receipts.own(grace.id)).toBe(7);
  expect(receipts.own(ada.id)).toBe(0);
});

test("whoever has read up to a message has seen it, its author aside", () => {
  const receipts = new Receipts();
  receipts.replace([mark(ada, 9), mark(grace, 4), mark(linus, 5)]);
  expect(receipts.readersOf(said(ada, 5))).toEqual([linus.id]);
});

test("each face stands at the last message that its person has seen", () => {
  const receipts = new Receipts();
  receipts.replace([mark(ada, 3), mark(grace, 2), mark(linus, 40)]);
  const messages = [said(ada, 1), said(ada, 3), said(ada, 8)];
  const faces = receipts.facesAt(messages, ada.id);
  expect(faces.get(messages[0]?.id ?? "")).toEqual([grace.id]);
  expect(faces.get(messages[2]?.id ?? "")).toEqual([linus.id]);
  expect(faces.size).toBe(2);
});

test("whoever has read nothing of what is shown has no face there", () => {
  const receipts = new Receipts();
  receipts.replace([mark(grace, 2)]);
  expect(receipts.facesAt([said(ada, 3)], ada.id).size).toBe(0);
});

test("a thread has marks of its own", () => {
  const receipts = new Receipts();
  receipts.replace([mark(grace, 9, { thread_id: "t" })]);
  expect(receipts.own(grace.id)).toBe(0);
  expect(receipts.own(grace.id, "t")).toBe(9);
  expect(receipts.readersOf({ ...said(ada, 8), thread_id: "t" })).toHaveLength(1);
});

test("a message is delivered once any device of somebody else has it", () => {
  const receipts = new Receipts();
  receipts.replace([mark(ada, 9), mark(grace, 0, { delivered_seq: 4 })]);
  expect(receipts.isDelivered(said(ada, 4))).toBe(true);
  expect(receipts.isDelivered(said(ada, 5))).toBe(false);
});

test("of a crowd only numbers are known: of a message, of all who have got at least as far", () => {
  const receipts = new Receipts();
  expect(receipts.seenCount(said(ada, 1))).toBeNull();
  const read = [
    { seq: 9, count: 2 },
    { seq: 7, count: 30 },
    { seq: 3, count: 90 },
  ];
  receipts.count({ members: 150, read });
  const counts = [3, 4, 7, 8, 9, 10].map((seq) => receipts.seenCount(said(ada, seq))?.count ?? 0);
  expect(counts).toEqual([90, 30, 30, 2, 2, 0]);
  receipts.count(null);
  expect(receipts.seenCount(said(ada, 3))).toBeNull();
});
