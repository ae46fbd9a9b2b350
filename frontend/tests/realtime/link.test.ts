import { expect, test } from "vitest";
import { endOf, lossOf, readClosing } from "../../src/realtime/link";

test("a revoked or expired session ends the line as signed out", () => {
  expect(endOf(4401)).toBe("signed_out");
});

test("every close code from 4400 to 4499 keeps the page away", () => {
  for (let code = 4400; code <= 4499; code++) expect(endOf(code)).not.toBeNull();
});

test("standard codes and 4000 to 4399 let the page come back", () => {
  for (const code of [1000, 1001, 1006, 1009, 1011, 1012, 4001, 4002, 4003, 4008, 4010, 4399]) {
    expect(endOf(code)).toBeNull();
  }
});

test("a drain is told from a broken line and from a busy server", () => {
  expect([1012, 4001, 1006, 4002, 4008].map(lossOf)).toEqual([
    "restarting",
    "restarting",
    "lost",
    "busy",
    "busy",
  ]);
});

test("a closing frame is read, and a strange one is only a loss", () => {
  expect(readClosing({ code: 1012, reason: "drain", retry_after_ms: 500, resume: true })).toEqual({
    code: 1012,
    reason: "drain",
    retryAfterMs: 500,
  });
  expect(readClosing(null)).toEqual({ code: 1006, reason: "", retryAfterMs: 0 });
});
