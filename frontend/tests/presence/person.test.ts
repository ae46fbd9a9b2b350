import { describe, expect, test } from "vitest";
import { seenIn } from "../../src/presence/attendance";
import { byAttendance, type Meta, personOf, statusAt, wordsOf } from "../../src/presence/person";
import { nextEndMs, statusText, untilText } from "../../src/presence/status_line";

const NOON = new Date("2026-11-22T12:00:00Z");

function meta(changes: Partial<Meta> = {}): Meta {
  return {
    phx_ref: "1",
    username: "grace",
    activity: "active",
    status: null,
    online_at: NOON.toISOString(),
    ...changes,
  };
}

describe("one person out of many connections", () => {
  test("is as attentive as the most attentive of them", () => {
    const metas = [meta({ activity: "away" }), meta({ activity: "idle" })];
    expect(personOf("7", metas)).toMatchObject({ id: 7, username: "grace", activity: "idle" });
  });

  test("is here with an activity that this page does not know", () => {
    const metas = [meta({ activity: "dancing" as Meta["activity"] })];
    expect(personOf("7", metas).activity).toBe("active");
  });

  test("has the status that any of them shows", () => {
    const status = { text: "Focusing", emoji: "🎧", expires_at: null };
    expect(personOf("7", [meta(), meta({ status })]).status).toEqual(status);
  });

  test("stands before the less attentive, then by name", () => {
    const people = [
      personOf("1", [meta({ username: "zoe", activity: "away" })]),
      personOf("2", [meta({ username: "yan" })]),
      personOf("3", [meta({ username: "bob" })]),
    ];
    expect(people.sort(byAttendance).map(({ username }) => username)).toEqual([
      "bob",
      "yan",
      "zoe",
    ]);
  });
});

describe("a status line", () => {
  const hour = { text: "At lunch", emoji: "🍽️", expires_at: NOON.getTime() / 1_000 + 3_600 };

  test("is gone from the moment at which it ends", () => {
    expect(statusAt(hour, NOON)).toEqual(hour);
    expect(statusAt(hour, new Date(NOON.getTime() + 3_600_000))).toBeNull();
  });

  test("that says nothing is none", () => {
    expect(statusAt({ text: "", emoji: "", expires_at: null }, NOON)).toBeNull();
  });

  test("is read as emoji, words and end", () => {
    expect(statusText(hour, NOON)).toBe("🍽️ At lunch");
    expect(untilText(hour, NOON, "en-GB", "h23")).toMatch(/^until \d\d:00$/);
    const later = { ...hour, expires_at: hour.expires_at + 3 * 86_400 };
    expect(untilText(later, NOON, "en-GB", "h23")).toMatch(/^until Wed,? 25 Nov, \d\d:00$/);
  });

  test("is looked at again when the first one ends", () => {
    expect(nextEndMs([null, hour, { ...hour, expires_at: null }], NOON)).toBe(3_600_000);
    expect(nextEndMs([null], NOON)).toBeNull();
  });
});

describe("a page's answer to who is here", () => {
  const grace = personOf("7", [meta({ activity: "idle" })]);
  const named = { knowledge: { kind: "people", people: new Map([[7, grace]]) } } as const;
  const counted = { knowledge: { kind: "count", count: 900, own: null } } as const;

  test("comes from the first roster that names people", () => {
    const people = seenIn(counted, named);
    expect(people?.of(7)).toBe("idle");
    expect(people?.of(8)).toBe("offline");
  });

  test("names those who look at the room, whichever roster says how they are", () => {
    const viewer = personOf("7", [meta({ viewing: false }), meta({ viewing: true })]);
    const room = { knowledge: { kind: "people", people: new Map([[7, viewer]]) } } as const;
    const people = seenIn(named, room);
    expect(people?.of(7)).toBe("idle");
    expect(people?.isViewing(7)).toBe(true);
    expect(people?.isViewing(8)).toBe(false);
  });

  test("finds in a room whoever is not to be seen at the site", () => {
    const hidden = personOf("9", [meta({ activity: "away" })]);
    const room = { knowledge: { kind: "people", people: new Map([[9, hidden]]) } } as const;
    expect(seenIn(named, room)?.of(9)).toBe("away");
    expect(seenIn(named)?.of(9)).toBe("offline");
  });

  test("is none while nothing is known", () => {
    expect(seenIn({ knowledge: { kind: "loading" } }, counted)).toBeNull();
    expect(wordsOf(undefined)).toBe("");
  });
});
