import { expect, test } from "vitest";
import { clockTime, dayHeading, nextChangeMs, relativeTime } from "../src/times";

const now = new Date(2026, 10, 22, 12, 0, 0);
const ago = (ms: number) => new Date(now.getTime() - ms);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test("a moment is told by how long ago it was, then by its date", () => {
  expect(
    [20_000, 5 * MINUTE, 3 * HOUR, DAY, 3 * DAY, 40 * DAY, 400 * DAY].map((ms) =>
      relativeTime(ago(ms), now, "en-GB"),
    ),
  ).toEqual(["now", "5 min ago", "3 hr ago", "yesterday", "3 days ago", "13 Oct", "18 Oct 2025"]);
});

test("a clock that runs ahead of ours reads as now", () => {
  expect(relativeTime(ago(-5_000), now, "en")).toBe("now");
});

test("times follow the reader's language", () => {
  expect(relativeTime(ago(5 * MINUTE), now, "de")).toBe("vor 5 Min.");
  expect(dayHeading(ago(DAY), now, "de")).toBe("Gestern");
  expect(clockTime(new Date(2026, 0, 1, 15, 4), "de")).toBe("15:04");
});

test("the reader's choice of clock goes before that of the language", () => {
  const afternoon = new Date(2026, 0, 1, 15, 4);
  expect(clockTime(afternoon, "en-US", "h23")).toBe("15:04");
  expect(clockTime(afternoon, "de", "h12")).toMatch(/^0?3:04/);
});

test("days have headings that need no calendar", () => {
  expect(dayHeading(now, now, "en-GB")).toBe("Today");
  expect(dayHeading(new Date(2026, 10, 21, 23, 59), now, "en-GB")).toBe("Yesterday");
  // Whether a comma follows the weekday depends on the language data of the engine.
  const heading = (year: number) => dayHeading(new Date(year, 10, 16, 8), now, "en-GB");
  expect(heading(2026)).toMatch(/^Monday,? 16 November$/);
  expect(heading(2025)).toMatch(/^Sunday,? 16 November 2025$/);
});

test("a relative time is looked at again when it will read differently", () => {
  expect(nextChangeMs(ago(30_000), now)).toBe(30_000);
  expect(nextChangeMs(ago(90_000), now)).toBe(30_000);
  expect(nextChangeMs(ago(2 * HOUR), now)).toBe(HOUR);
});
