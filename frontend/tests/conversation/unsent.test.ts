import { beforeEach, expect, test } from "vitest";
import type { UnsentMessage } from "../../src/conversation/message";
import { type SendOutcome, UnsentMessages } from "../../src/conversation/unsent";

/** A server that answers when the test says so. */
class Desk {
  pushed: string[] = [];
  waits: { callback: () => void; ms: number }[] = [];
  changes = 0;
  #answer: (outcome: SendOutcome) => void = () => undefined;

  queue(): UnsentMessages {
    return new UnsentMessages({
      storage: localStorage,
      prefix: "unsent:1:room:",
      push: (message) => {
        this.pushed.push(message.client_id);
        return new Promise((resolve) => {
          this.#answer = resolve;
        });
      },
      wait: (callback, ms) => this.waits.push({ callback, ms }),
      changed: () => {
        this.changes += 1;
      },
    });
  }

  /** The answer to what is on its way now, to be given later. */
  handOver(): (outcome: SendOutcome) => void {
    return this.#answer;
  }

  async answer(outcome: SendOutcome): Promise<void> {
    this.#answer(outcome);
    await Promise.resolve();
    await Promise.resolve();
  }
}

const written = (client_id: string, minute = 0) => ({
  client_id,
  body: `text of ${client_id}`,
  reply_to: null,
  thread_id: null,
  attachments: [],
  is_command: false,
  created_at: new Date(Date.UTC(2026, 0, 1, 12, minute)).toISOString(),
});
const ids = (messages: readonly UnsentMessage[]) => messages.map((m) => m.client_id);

beforeEach(() => localStorage.clear());

test("messages written while off line go out in order, one at a time, once there is a line", async () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.add(written("a"));
  queue.add(written("b", 1));
  expect(desk.pushed).toEqual([]);
  queue.open();
  expect(desk.pushed).toEqual(["a"]);
  await desk.answer({ kind: "sent" });
  expect(desk.pushed).toEqual(["a", "b"]);
  await desk.answer({ kind: "sent" });
  expect(queue.messages).toEqual([]);
});

test("a reload finds what was not sent, in the order it was written", () => {
  const desk = new Desk();
  const before = desk.queue();
  before.add(written("b", 1));
  before.add(written("a", 0));
  expect(ids(desk.queue().messages)).toEqual(["a", "b"]);
});

test("what was on its way when the line broke goes again with the same id", async () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.open();
  queue.add(written("a"));
  queue.close();
  queue.open();
  expect(desk.pushed).toEqual(["a", "a"]);
  expect(ids(queue.messages)).toEqual(["a"]);
});

test("a late answer to an attempt before the outage starts nothing by itself", async () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.open();
  queue.add(written("a"));
  const old = desk.handOver();
  queue.close();
  queue.open();
  old({ kind: "later", afterMs: 5 });
  await Promise.resolve();
  await Promise.resolve();
  desk.waits[0]?.callback();
  expect(desk.pushed).toEqual(["a", "a"]);
  await desk.answer({ kind: "sent" });
  expect(queue.messages).toEqual([]);
});

test("a fact that confirms a message makes a resend needless", () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.add(written("a"));
  queue.confirm("a");
  queue.open();
  expect(desk.pushed).toEqual([]);
  expect(localStorage.length).toBe(0);
});

test("a refused message stays with its reason and holds up nothing", async () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.open();
  queue.add(written("a"));
  queue.add(written("b", 1));
  await desk.answer({ kind: "refused", problem: "Too long." });
  expect(desk.pushed).toEqual(["a", "b"]);
  expect(queue.messages[0]).toMatchObject({ state: "failed", problem: "Too long." });
  expect(desk.queue().messages[0]).toMatchObject({ state: "failed" });
});

test("a refused message can be retried or taken back as text", async () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.open();
  queue.add(written("a"));
  await desk.answer({ kind: "refused", problem: "No." });
  queue.retry("a");
  expect(desk.pushed).toEqual(["a", "a"]);
  await desk.answer({ kind: "refused", problem: "No." });
  expect(queue.discard("a")?.body).toBe("text of a");
  expect(queue.messages).toEqual([]);
  expect(localStorage.length).toBe(0);
});

test("when the server asks to wait, the queue waits and then sends the same message", async () => {
  const desk = new Desk();
  const queue = desk.queue();
  queue.open();
  queue.add(written("a"));
  queue.add(written("b", 1));
  await desk.answer({ kind: "later", afterMs: 700 });
  expect(desk.pushed).toEqual(["a"]);
  expect(desk.waits.map(({ ms }) => ms)).toEqual([700]);
  desk.waits[0]?.callback();
  expect(desk.pushed).toEqual(["a", "a"]);
});

test("two tabs keep each other's unsent messages", () => {
  const desk = new Desk();
  const one = desk.queue();
  const other = desk.queue();
  one.add(written("a"));
  other.add(written("b", 1));
  expect(ids(desk.queue().messages)).toEqual(["a", "b"]);
});

test("something else in the storage is not taken for a message", () => {
  localStorage.setItem("unsent:1:room:x", "{not json");
  localStorage.setItem("unsent:1:room:y", '{"body": 3}');
  localStorage.setItem("unsent:2:room:z", JSON.stringify(written("z")));
  expect(new Desk().queue().messages).toEqual([]);
});
