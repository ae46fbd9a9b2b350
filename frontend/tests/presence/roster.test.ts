import type { Channel } from "phoenix";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Roster } from "../../src/presence/roster";

/** The part of a channel that the real `Presence` of phoenix uses. */
class HeardChannel {
  readonly #heard: { event: string; callback: (payload: unknown) => void }[] = [];
  joined = "1";

  on(event: string, callback: (payload: unknown) => void): number {
    return this.#heard.push({ event, callback });
  }

  joinRef(): string {
    return this.joined;
  }

  hear(event: string, payload: unknown): void {
    for (const one of this.#heard) if (one.event === event) one.callback(payload);
  }
}

let channel: HeardChannel;
let roster: Roster;
let changes: number;

function person(username: string, ...refs: string[]): object {
  const meta = { username, activity: "active", status: null, online_at: "2026-11-22T12:00:00Z" };
  return { metas: refs.map((phx_ref) => ({ ...meta, phx_ref })) };
}

function names(): string[] {
  const { knowledge } = roster;
  return knowledge.kind === "people"
    ? [...knowledge.people.values()].map((one) => one.username)
    : [];
}

beforeEach(() => {
  vi.useFakeTimers();
  channel = new HeardChannel();
  changes = 0;
  roster = new Roster(channel as unknown as Channel, () => {
    changes += 1;
  });
});
afterEach(() => vi.useRealTimers());

test("nothing is known before the server has told", () => {
  expect(roster.knowledge).toEqual({ kind: "loading" });
});

test("tabs of one person are one person, who leaves with the last of them", () => {
  channel.hear("presence_state", { 1: person("ada", "a"), 2: person("grace", "b", "c") });
  expect(names()).toEqual(["ada", "grace"]);
  channel.hear("presence_diff", { joins: {}, leaves: { 2: person("grace", "b") } });
  expect(names()).toEqual(["ada", "grace"]);
  channel.hear("presence_diff", { joins: {}, leaves: { 2: person("grace", "c") } });
  expect(names()).toEqual(["ada"]);
});

test("a rejoin brings the differences only", () => {
  channel.hear("presence_state", { 1: person("ada", "a"), 2: person("grace", "b") });
  channel.joined = "2";
  channel.hear("presence_diff", { joins: { 3: person("linus", "c") }, leaves: {} });
  expect(names()).toEqual(["ada", "grace"]);
  channel.hear("presence_state", { 1: person("ada", "d"), 2: person("grace", "e") });
  expect(names()).toEqual(["ada", "grace", "linus"]);
});

test("many changes at once are drawn once", () => {
  channel.hear("presence_state", { 1: person("ada", "a") });
  for (let id = 2; id < 40; id += 1) {
    channel.hear("presence_diff", { joins: { [id]: person(`p${id}`, `r${id}`) }, leaves: {} });
  }
  vi.runAllTimers();
  expect(changes).toBe(1);
  expect(names()).toHaveLength(39);
});

test("a topic that grows is told by numbers, and by names again when it shrinks", () => {
  channel.hear("presence_state", { 1: person("ada", "a") });
  channel.hear("presence_state", { 1: person("ada", "a") });
  channel.hear("presence_counts", { count: 201 });
  expect(roster.knowledge).toMatchObject({ kind: "count", count: 201, own: { username: "ada" } });
  channel.hear("presence_diff", { joins: { 1: person("ada", "c") }, leaves: {} });
  expect(roster.knowledge).toMatchObject({ kind: "count", count: 201, own: { username: "ada" } });
  channel.hear("presence_state", { 1: person("ada", "a"), 2: person("grace", "b") });
  expect(names()).toEqual(["ada", "grace"]);
});
