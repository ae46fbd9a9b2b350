import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Message } from "../../src/conversation/message";
import { Panels, type PanelsPage } from "../../src/conversation/panels";
import { READ_MS } from "../../src/conversation/reading";
import type { HistoryPage, Room } from "../../src/conversation/room";
import { ConversationState } from "../../src/conversation/state";
import type { ThreadPanel } from "../../src/conversation/thread_panel";
import type { RowsView } from "../../src/conversation/timeline_element";
import { ada, grace, said } from "./people";

const root = said(ada, 1);
const reply = (seq: number): Message => ({ ...said(grace, seq), thread_id: root.id });

/** A room whose other end is the test. */
class FakeRoom {
  isJoined = true;
  replies: Message[] = [reply(2)];
  readonly told: [string, object][] = [];
  readonly waiting: (() => void)[] = [];
  readonly asked: ((error: Error) => void)[] = [];
  isSilent = false;

  tell(event: string, command: object, again?: () => void): void {
    if (!this.isJoined) return;
    this.told.push([event, command]);
    if (again) this.waiting.push(again);
  }

  ask(): Promise<object> {
    if (!this.isJoined) return Promise.reject(new Error("You are not connected."));
    return Promise.resolve({ results: [], has_more: false });
  }

  history(): Promise<HistoryPage> {
    if (this.isSilent) return new Promise((_, reject) => this.asked.push(reject));
    if (!this.isJoined) return Promise.reject(new Error("You are not connected."));
    const page = { has_more: false, has_more_before: false, has_more_after: false };
    return Promise.resolve({ ...page, messages: this.replies });
  }
}

let room: FakeRoom;
let state: ConversationState;
let panels: Panels;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = `<template id="thread-composer"><form></form></template>
    <aside id="panel" hidden><h2 data-panel-title></h2><div data-panel-body></div></aside>`;
  room = new FakeRoom();
  const conversation = { id: "c", title: "Demo", assistant: "mention" as const };
  state = new ConversationState(
    { conversation, user: ada, members: [], messages: [root], seq: 1, has_more: false },
    { fetchRun: () => Promise.reject(new Error("not here")), changed: () => undefined },
  );
  const composer = { focus: () => undefined, answer: () => undefined, takeBack: () => undefined };
  const page: PanelsPage = {
    state,
    room: room as unknown as Room,
    view: () => null as unknown as RowsView,
    unsentIn: () => [],
    compose: () => composer,
    act: () => undefined,
    goTo: () => Promise.resolve(),
    place: document.body,
  };
  panels = new Panels(document.querySelector("#panel") as HTMLElement, page);
});
afterEach(() => vi.useRealTimers());

const thread = (): ThreadPanel => document.querySelector("thread-panel") as ThreadPanel;
const mark = (seq: number) => ["mark_read", { seq, thread_id: root.id }];
const pass = () => vi.advanceTimersByTimeAsync(READ_MS);

test("what was read in a thread while nobody listened is told once the server does", async () => {
  await panels.openThread(root.id);
  await pass();
  expect(room.told.splice(0)).toEqual([mark(2)]);
  state.timeline.applyFact(reply(3));
  panels.draw();
  room.isJoined = false;
  await pass();
  expect(room.told).toEqual([]);
  room.isJoined = true;
  panels.again(false);
  await pass();
  expect(room.told).toEqual([mark(3)]);
});

test("a mark that came too soon is told once it may be", async () => {
  await panels.openThread(root.id);
  await pass();
  room.waiting.pop()?.();
  await pass();
  expect(room.told).toEqual([mark(2), mark(2)]);
});

test("replies that could not be read are read once the server listens", async () => {
  room.isJoined = false;
  await panels.openThread(root.id);
  expect(thread().problem).toBe("You are not connected.");
  room.isJoined = true;
  panels.again(false);
  await pass();
  expect(thread().problem).toBe("");
  expect(thread().replies.map(({ seq }) => seq)).toEqual([2]);
});

test("what could not be searched is looked for once the server listens", async () => {
  const found = () => document.querySelector(".search-results")?.textContent ?? "";
  room.isJoined = false;
  await panels.openSearch("tea");
  await pass();
  expect(found()).toContain("You are not connected.");
  room.isJoined = true;
  panels.again(false);
  await pass();
  expect(found()).toContain("Nothing here has “tea” in it.");
});

test("a thread that is open when the page starts afresh is read anew, with its first message", async () => {
  await panels.openThread(root.id);
  room.replies = [reply(2), reply(90)];
  state.join({
    ...{ conversation: state.heading, user: ada, members: [], has_more: true, reset: true },
    messages: [said(grace, 99)],
    seq: 99,
  });
  panels.again(true);
  await pass();
  expect(thread().replies.map(({ seq }) => seq)).toEqual([2, 90]);
  expect(thread().root?.id).toBe(root.id);
});

test("a question that nobody answered before the line broke is no problem afterwards", async () => {
  room.isSilent = true;
  void panels.openThread(root.id);
  await pass();
  room.isSilent = false;
  panels.again(false);
  await pass();
  for (const fail of room.asked) fail(new Error("The server did not answer."));
  await pass();
  expect(thread().problem).toBe("");
  expect(thread().isLoading).toBe(false);
});
