import { expect, test } from "vitest";
import type { Run } from "../../src/conversation/message";
import { isActive, type LiveRun, type RunEvent, Runs } from "../../src/conversation/runs";

const run = (changes: Partial<Run> = {}): Run => ({
  id: "r1",
  message_id: "m1",
  request_id: "m0",
  conversation_id: "c",
  status: "running",
  backend: "openai",
  model: "small",
  started_by: { id: 1, username: "ada" },
  seq: 1,
  offset: 0,
  text: "",
  parts: [],
  usage: null,
  error: null,
  cancelled_by: null,
  continues: null,
  created_at: "2026-06-01T12:00:00.000Z",
  started_at: "2026-06-01T12:00:00.000Z",
  ended_at: null,
  ...changes,
});
const event = (seq: number, type: string, fields: Record<string, unknown> = {}): RunEvent => ({
  run_id: "r1",
  message_id: "m1",
  seq,
  offset: 0,
  type,
  ...fields,
});
const words = (seq: number, offset: number, delta: string) =>
  event(seq, "TEXT_MESSAGE_CONTENT", { offset, delta, messageId: "m1" });

/** A server that hands out a run when the test says so. */
function desk() {
  const asked: string[] = [];
  const changes: [LiveRun, boolean][] = [];
  let answer: (run: Run) => void = () => undefined;
  let refuse: () => void = () => undefined;
  const runs = new Runs({
    fetchRun: (id) => {
      asked.push(id);
      return new Promise((resolve, reject) => {
        answer = resolve;
        refuse = () => reject(new Error("gone"));
      });
    },
    changed: (changed, isText) => changes.push([changed, isText]),
  });
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve));
  return {
    runs,
    asked,
    changes,
    text: () => runs.get("r1")?.text,
    answer: async (given: Run) => {
      answer(given);
      await settle();
    },
    refuse: async () => {
      refuse();
      await settle();
    },
  };
}

test("the words of a run come together in their order", () => {
  const { runs, text, asked } = desk();
  runs.apply(event(1, "RUN_STARTED", { run: run({ status: "queued", seq: 0 }) }));
  runs.apply(words(2, 0, "Hello"));
  runs.apply(words(3, 5, " you"));
  expect(text()).toBe("Hello you");
  expect(runs.active.map(({ status }) => status)).toEqual(["running"]);
  expect(asked).toEqual([]);
});

test("an event that comes twice, or is older than a snapshot, changes nothing", () => {
  const { runs, text } = desk();
  runs.take(run({ seq: 3, text: "Hello you" }));
  runs.apply(words(2, 0, "Hello"));
  runs.apply(words(3, 5, " you"));
  expect(text()).toBe("Hello you");
});

test("a hole is seen: the run is asked for once, and what came meanwhile follows it", async () => {
  const { runs, text, asked, answer } = desk();
  runs.take(run({ seq: 1, text: "" }));
  runs.apply(words(2, 0, "one "));
  runs.apply(words(4, 8, "three "));
  runs.apply(words(5, 14, "four"));
  expect(asked).toEqual(["r1"]);
  expect(text()).toBe("one ");
  expect(runs.get("r1")?.isBehind).toBe(true);
  await answer(run({ seq: 4, text: "one two three " }));
  expect(text()).toBe("one two three four");
  expect(runs.get("r1")?.isBehind).toBe(false);
});

test("an offset beyond the text is a hole even where the numbers fit", () => {
  const { runs, asked } = desk();
  runs.take(run({ seq: 1, text: "ab" }));
  runs.apply(words(2, 5, "x"));
  expect(asked).toEqual(["r1"]);
});

test("words that overlap what is known are not repeated", () => {
  const { runs, text } = desk();
  runs.take(run({ seq: 1, text: "Hello" }));
  runs.apply(words(2, 3, "lo you"));
  expect(text()).toBe("Hello you");
});

test("a run that nobody told of is asked for; without an answer the next event asks again", async () => {
  const { runs, asked, refuse, answer, text } = desk();
  runs.apply(words(7, 30, "x"));
  await refuse();
  runs.apply(words(8, 31, "y"));
  expect(asked).toEqual(["r1", "r1"]);
  await answer(run({ seq: 8, text: "it all" }));
  expect(text()).toBe("it all");
});

test("a snapshot replaces what is held, also for whoever was too slow for the words", () => {
  const { runs, text } = desk();
  runs.take(run({ seq: 1 }));
  runs.apply(event(40, "MESSAGES_SNAPSHOT", { run: run({ seq: 40, text: "all of it" }) }));
  runs.apply(words(41, 9, "!"));
  expect(text()).toBe("all of it!");
});

test("only growth is told as text; the first words and everything else as a change", () => {
  const { runs, changes } = desk();
  runs.take(run({ seq: 1 }));
  runs.apply(words(2, 0, "a"));
  runs.apply(words(3, 1, "b"));
  runs.apply(event(4, "RUN_FINISHED", { outcome: { type: "success" } }));
  expect(changes.map(([, isText]) => isText)).toEqual([false, false, true, false]);
});

test("a run ends in exactly one way, and a late event does not wake it", () => {
  const ends: [string, Record<string, unknown>, string][] = [
    ["RUN_FINISHED", { outcome: { type: "success" } }, "finished"],
    ["RUN_FINISHED", { outcome: { type: "cancelled" } }, "cancelled"],
    ["RUN_ERROR", { code: "timeout", message: "Too slow." }, "error"],
    ["RUN_ERROR", { code: "interrupted", message: "Gone." }, "interrupted"],
  ];
  for (const [type, fields, status] of ends) {
    const { runs } = desk();
    runs.take(run({ seq: 1 }));
    runs.apply(event(2, type, fields));
    runs.take(run({ seq: 2, status: "running" }));
    expect(runs.get("r1")?.status).toBe(status);
    expect(runs.active).toEqual([]);
  }
});

test("a tool call is seen from its start to its result", () => {
  const { runs } = desk();
  runs.take(run({ seq: 1 }));
  runs.apply(
    event(2, "TOOL_CALL_START", { toolCallId: "t", toolCallName: "grep", title: "Search" }),
  );
  runs.apply(event(3, "TOOL_CALL_ARGS", { toolCallId: "t", delta: '{"que' }));
  runs.apply(event(4, "TOOL_CALL_ARGS", { toolCallId: "t", delta: 'ry":"x"}' }));
  expect(runs.get("r1")?.parts[0]).toMatchObject({ status: "running", arguments: { query: "x" } });
  runs.apply(event(5, "TOOL_CALL_RESULT", { toolCallId: "t", content: "found", status: "done" }));
  expect(runs.get("r1")?.parts[0]).toMatchObject({ status: "done", result: "found" });
});

test("a call that needs permission waits, and says who gave it", () => {
  const { runs } = desk();
  runs.take(run({ seq: 1 }));
  runs.apply(event(2, "TOOL_CALL_START", { toolCallId: "t", toolCallName: "pin", title: "Pin" }));
  const asked = { state: "waiting", by: null, expires_at: "2026-06-01T12:05:00.000Z" };
  runs.apply(
    event(3, "CUSTOM", {
      name: "approval_requested",
      value: { tool_call_id: "t", approval: asked },
    }),
  );
  expect(runs.get("r1")?.parts[0]?.status).toBe("waiting_approval");
  const given = { ...asked, state: "approved", by: { id: 2, username: "grace" } };
  runs.apply(
    event(4, "CUSTOM", {
      name: "approval_answered",
      value: { tool_call_id: "t", approval: given },
    }),
  );
  expect(runs.get("r1")?.parts[0]).toMatchObject({
    status: "running",
    approval: { state: "approved", by: { username: "grace" } },
  });
});

test("after a join only the runs that it names go on", () => {
  const { runs } = desk();
  runs.take(run({ id: "old" }));
  runs.take(run({ id: "new" }));
  runs.replace([run({ id: "new", seq: 5, text: "further" })]);
  expect(runs.active.map(({ id, text }) => [id, text])).toEqual([["new", "further"]]);
});

test("queued and running runs are active, others are not", () => {
  expect(isActive({ status: "queued" })).toBe(true);
  expect(isActive({ status: "interrupted" })).toBe(false);
});
