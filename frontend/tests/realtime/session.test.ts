import { expect, test } from "vitest";
import { isSignedIn } from "../../src/realtime/session";

const answering = (status: number) => async () => new Response("{}", { status });

test("only a refusal means signed out", async () => {
  expect(await isSignedIn(answering(401))).toBe(false);
  expect(await isSignedIn(answering(403))).toBe(false);
  expect(await isSignedIn(answering(200))).toBe(true);
  expect(await isSignedIn(answering(503))).toBe(true);
});

test("a server that cannot be reached has not signed anybody out", async () => {
  const unreachable = async () => Promise.reject(new TypeError("failed to fetch"));
  expect(await isSignedIn(unreachable)).toBe(true);
});
