import { afterEach, beforeEach, expect, test } from "vitest";
import { PeoplePanel } from "../../src/presence/people_panel";
import type { PresentPerson } from "../../src/presence/person";

let panel: PeoplePanel;

function here(id: number, username: string, changes: Partial<PresentPerson> = {}): PresentPerson {
  const nothing = { status: null, isViewing: false, isHidden: false };
  return { id, username, activity: "active", ...nothing, ...changes };
}

async function show(...people: PresentPerson[]): Promise<void> {
  panel.knowledge = { kind: "people", people: new Map(people.map((one) => [one.id, one])) };
  await panel.updateComplete;
}

function rows(): string[] {
  return [...panel.querySelectorAll(".person-main")].map((row) =>
    (row.textContent ?? "").replace(/\s+/gu, " ").trim(),
  );
}

beforeEach(() => {
  panel = new PeoplePanel();
  panel.user = { id: 1, username: "ada" };
  panel.acquaintances = [{ id: 2, username: "grace", last_seen: null }];
  document.body.append(panel);
});
afterEach(() => panel.remove());

test("while nothing is known there are places for people, and no word of them", async () => {
  await panel.updateComplete;
  expect(panel.querySelectorAll(".person-skeleton")).toHaveLength(3);
  expect(panel.querySelector(".people-list")?.getAttribute("aria-busy")).toBe("true");
});

test("the reader stands first, then who is here, then who is not", async () => {
  await show(here(1, "ada"), here(4, "zoe"), here(3, "bob", { activity: "away" }));
  expect(rows().map((row) => row.split(/[ ,]/u)[0])).toEqual(["ada", "zoe", "bob", "grace"]);
  expect(panel.querySelector(".people-count")?.textContent).toBe("3 online");
});

test("a status takes the place of the word, which is still said", async () => {
  const status = { text: "Focusing", emoji: "", expires_at: null };
  await show(here(1, "ada"), here(2, "grace", { activity: "idle", status }));
  expect(rows()[1]).toBe("grace, idle Focusing");
});

test("whoever leaves was last seen now", async () => {
  await show(here(1, "ada"), here(2, "grace"));
  await show(here(1, "ada"));
  const seen = panel.querySelector<HTMLTimeElement>("[data-absent] time");
  expect(Date.now() - new Date(seen?.dateTime ?? "").getTime()).toBeLessThan(60_000);
});

test("somebody who was away before is shown with the time that the server knows", async () => {
  panel.acquaintances = [{ id: 2, username: "grace", last_seen: "2026-11-22T11:00:00Z" }];
  await show(here(1, "ada"));
  const seen = panel.querySelector<HTMLTimeElement>("[data-absent] time");
  expect(seen?.dateTime).toBe("2026-11-22T11:00:00Z");
  expect(rows()[1]).toBe("grace Last seen");
});

test("of those who are not here whoever was here last stands first", async () => {
  panel.acquaintances = [
    { id: 2, username: "barbara", last_seen: null },
    { id: 3, username: "edsger", last_seen: "2026-11-21T12:00:00Z" },
    { id: 4, username: "grace", last_seen: "2026-11-22T12:00:00Z" },
  ];
  await show(here(1, "ada"));
  expect(rows().map((row) => row.split(/[ ,]/u)[0])).toEqual(["ada", "grace", "edsger", "barbara"]);
  expect(panel.querySelector(".people-absent")?.textContent).toContain("3");
});

test("the conversation that somebody looks at stands under their name and leads there", async () => {
  panel.places = new Map([[2, { topic: "conversation:7", title: "Launch" }]]);
  await show(here(1, "ada"), here(2, "grace"));
  expect(rows()[1]).toBe("grace, active in Launch");
  expect(panel.querySelector(".person-place")?.getAttribute("href")).toBe("/conversations/7/");
});

test("whoever appears offline knows it, and is not counted", async () => {
  await show(here(1, "ada", { isHidden: true }), here(2, "grace"));
  expect(rows()[0]).toContain("You appear offline");
  expect(panel.querySelector("[data-own] .avatar")?.getAttribute("data-presence")).toBe("offline");
  expect(panel.querySelector(".people-count")?.textContent).toBe("1 online");
});

test("in a crowd one still sees oneself", async () => {
  const status = { text: "At sea", emoji: "", expires_at: null };
  panel.knowledge = {
    kind: "count",
    count: 900,
    own: here(1, "ada", { activity: "idle", status }),
  };
  await panel.updateComplete;
  expect(rows()[0]).toContain("At sea");
  expect(panel.querySelector("[data-own] .avatar")?.getAttribute("data-presence")).toBe("idle");
});

test("an empty place says what will be in it", async () => {
  panel.acquaintances = [];
  await show(here(1, "ada"));
  expect(panel.textContent).toContain("Nobody else is here");
});

test("too many are counted", async () => {
  panel.knowledge = { kind: "count", count: 1204, own: null };
  await panel.updateComplete;
  expect(panel.querySelector(".people-count")?.textContent).toMatch(/^1.204 online$/u);
  expect(panel.textContent).toContain("Too many people are online");
  expect(rows()).toHaveLength(1);
});

test("without a line the last that was known stays, and says so", async () => {
  await show(here(1, "ada"), here(2, "grace"));
  panel.asOf = new Date();
  await panel.updateComplete;
  expect(panel.querySelector("details")?.hasAttribute("data-stale")).toBe(true);
  expect(panel.textContent).toContain("Not connected. This is as it was at");
  expect(rows()).toHaveLength(2);
});

test("a refusal says what failed", async () => {
  panel.problem = "You may not.";
  await panel.updateComplete;
  expect(panel.querySelector(".notice")?.textContent).toContain("cannot be shown. You may not.");
});
