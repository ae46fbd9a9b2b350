import { render } from "lit";
import { beforeEach, expect, test } from "vitest";
import type { Message, Run } from "../../src/conversation/message";
import { messageRow, unsentRow } from "../../src/conversation/message_row";
import type { MessageAction, MessageView } from "../../src/conversation/message_view";
import { ada, answered, grace, said } from "./people";

const asked: MessageAction[] = [];
beforeEach(() => {
  asked.length = 0;
});

function viewOf(changes: Partial<MessageView> = {}): MessageView {
  return {
    user: ada,
    isOnline: true,
    hasThreads: true,
    people: null,
    editing: null,
    faces: new Map(),
    crowdAt: () => null,
    find: () => undefined,
    nameOf: (id) => (id === grace.id ? "grace" : "ada"),
    newIn: () => 0,
    mayDirect: () => true,
    runOf: (message) => message.run,
    tabIndex: () => 0,
    isAtHand: () => true,
    ask: (action) => asked.push(action),
    ...changes,
  };
}

function shown(message: Message, changes: Partial<MessageView> = {}): HTMLElement {
  const list = document.createElement("ol");
  const row = { kind: "message", key: "k", message, isFirst: true } as const;
  render(messageRow(viewOf(changes), row), list);
  return list.querySelector("li") as HTMLElement;
}
const words = (element: Element | null) =>
  (element?.textContent ?? "").replace(/\s+/gu, " ").trim();

test("markup comes from the server; code gets its buttons and own mentions stand out", () => {
  const html =
    '<p>hi <span class="mention" data-user="1">@ada</span></p><pre class="code" data-language="python"><code>x = 1</code></pre>';
  const row = shown({ ...said(grace, 1, "hi"), html, mentions: [ada.id] });
  expect(row.querySelector(".code-head span")?.textContent).toBe("python");
  expect(row.querySelector(".code-copy")).not.toBeNull();
  expect(row.dataset.mentioned).toBe("");
});

test("text that has not been rendered is shown as it was written", () => {
  const row = shown(said(grace, 1, "<b>not bold</b>"));
  expect(words(row.querySelector(".message-body"))).toBe("<b>not bold</b>");
  expect(row.querySelector("b:not(.message-author)")).toBeNull();
});

test("a quote is in plain words, not in Markdown", () => {
  const html = "<p><strong>No model</strong> is<br>configured</p><ul><li>a</li><li>b</li></ul>";
  const asked = { ...said(grace, 1, "**No model** is"), html };
  const row = shown({ ...said(ada, 2), reply_to: asked.id }, { find: () => asked });
  expect(words(row.querySelector(".message-quote"))).toBe("grace No model is configured a b");
});

test("of a deleted message only its place is left", () => {
  const row = shown({ ...said(ada, 1, ""), deleted_at: "2026-06-01T12:00:00.000Z" });
  expect(words(row)).toContain("This message was deleted.");
  expect(row.querySelector(".message-actions")).toBeNull();
});

test("only the row that the pointer or the focus is on carries what can be done with it", () => {
  expect(shown(said(grace, 1)).querySelectorAll(".message-actions button")).toHaveLength(4);
  const row = shown(said(grace, 1), { isAtHand: () => false });
  expect(row.querySelector("button, svg")).toBeNull();
});

test("reactions show how many and who, and one click joins them", () => {
  const row = shown({ ...said(grace, 1), reactions: [{ emoji: "👍", user_ids: [1, 2] }] });
  const chip = row.querySelector<HTMLButtonElement>(".reaction");
  expect(chip?.getAttribute("aria-pressed")).toBe("true");
  expect(chip?.title).toBe("You and grace");
  chip?.click();
  expect(asked[0]).toMatchObject({ verb: "react", value: "👍" });
});

test("in a crowd a number stands where faces would", () => {
  const row = shown(said(ada, 1), { crowdAt: () => ({ count: 57, members: 150 }) });
  expect(words(row.querySelector(".seen-by"))).toContain("Seen by 57 of 150");
  expect(shown(said(ada, 1)).querySelector(".seen-by")).toBeNull();
});

test("a thread is announced below its first message, with what is new in it", () => {
  const message = { ...said(grace, 1), reply_count: 3 };
  expect(words(shown(message, { newIn: () => 2 }).querySelector(".thread-link"))).toBe(
    "3 replies2 new",
  );
  expect(shown(message, { hasThreads: false }).querySelector(".thread-link")).toBeNull();
});

const states: [Partial<Run>, string, string[]][] = [
  [{ status: "queued" }, "Waits for its turn · asked by ada", ["stop"]],
  [{ status: "running" }, "Answering…", ["stop"]],
  [{ status: "running", text: "" }, "Thinking…", ["stop"]],
  [{ status: "running", text: "so" }, "Writing…", ["stop"]],
  [{ status: "cancelled", cancelled_by: grace }, "Stopped by grace", ["continue", "regenerate"]],
  [{ status: "interrupted" }, "Interrupted", ["continue", "regenerate"]],
  [
    { status: "error", error: { code: "unreachable", message: "No model answers." } },
    "No model answers.",
    ["regenerate"],
  ],
];

test.each(states)(
  "a run says what it does or what became of it, and what can be done",
  (run, line, verbs) => {
    const row = shown(answered(1, run)).querySelector(".run-line");
    expect(words(row)).toContain(line);
    const offered = [...(row?.querySelectorAll<HTMLElement>("button") ?? [])];
    expect(offered.map(({ dataset }) => dataset.verb)).toEqual(verbs);
  },
);

test("whoever may not stop a run is not offered to", () => {
  const row = shown(answered(1, { status: "running" }), { mayDirect: () => false });
  expect(row.querySelector('[data-verb="stop"]')).toBeNull();
});

test("a call that waits for permission asks those who may give it", () => {
  const call = {
    type: "tool",
    id: "t1",
    name: "pin",
    title: "Pin a message",
    arguments: { seq: 4 },
    status: "waiting_approval",
    result: null,
    approval: { state: "waiting", by: null, expires_at: null },
  } as const;
  const message = answered(1, { status: "running", parts: [call] });
  const row = shown(message);
  row.querySelector<HTMLButtonElement>('[data-verb="approve"]')?.click();
  expect(asked[0]).toMatchObject({ verb: "approve", value: "t1" });
  const other = shown(message, { mayDirect: () => false });
  expect(words(other.querySelector(".approval-answer"))).toContain("Waits for ada");
});

test("alternatives can be stepped through, and no further than there are", () => {
  const row = shown({ ...answered(1, {}, "red"), branch: { index: 2, count: 2, selected: true } });
  expect(words(row.querySelector(".branches"))).toBe("2/2");
  const [previous, next] = row.querySelectorAll(".branches button");
  expect(previous?.getAttribute("aria-disabled")).toBe("false");
  expect(next?.getAttribute("aria-disabled")).toBe("true");
});

test("files stand with their names and sizes, pictures with their room kept free", () => {
  const file = {
    id: "f",
    name: "a.png",
    size: 4_200,
    content_type: "image/png",
    is_image: true,
    width: 40,
    height: 20,
    url: "/files/f",
  };
  const row = shown({
    ...said(grace, 1),
    attachments: [file, { ...file, id: "g", name: "notes.txt", is_image: false }],
  });
  expect(row.querySelector("img")?.getAttribute("width")).toBe("40");
  expect(words(row.querySelector(".file-card"))).toBe("notes.txt 4.2 KB");
});

test("what could not be sent can be tried again or taken back", () => {
  const list = document.createElement("ol");
  const message = {
    client_id: "u",
    body: "text",
    reply_to: null,
    thread_id: null,
    attachments: [],
    is_command: false,
    created_at: "2026-06-01T12:00:00.000Z",
    state: "failed",
    problem: "Too long.",
  } as const;
  render(
    unsentRow(viewOf(), {
      kind: "unsent",
      key: "u",
      message: { ...message, attachments: [] },
      isFirst: true,
    }),
    list,
  );
  expect(words(list)).toContain("Not sent. Too long.");
  list.querySelector<HTMLButtonElement>('[data-verb="discard"]')?.click();
  expect(asked[0]).toMatchObject({ verb: "discard" });
});
