import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Link } from "../../src/realtime/link";
import { UserSocket } from "../../src/realtime/user_socket";
import { FakeLine } from "./fake_line";

let links: Link[];
let isSignedIn: boolean;

function connected(): UserSocket {
  const socket = new UserSocket("/socket", {
    isOnline: () => true,
    isSignedIn: async () => isSignedIn,
  });
  socket.watch((link) => links.push(link));
  socket.open();
  FakeLine.newest.accept();
  return socket;
}

beforeEach(() => {
  vi.useFakeTimers();
  // phoenix.js takes the page's WebSocket when a socket is made.
  vi.stubGlobal("WebSocket", FakeLine);
  FakeLine.lines = [];
  links = [];
  isSignedIn = true;
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("a lost line is tried again and the page knows when", () => {
  const socket = connected();
  FakeLine.newest.end(1006);
  expect(socket.link).toMatchObject({ state: "waiting", reason: "lost" });
  vi.advanceTimersByTime(300);
  expect(FakeLine.lines).toHaveLength(2);
  FakeLine.newest.accept();
  expect(socket.link).toEqual({ state: "open" });
});

test("a drain is told as a restart and the advised time is kept", () => {
  const socket = connected();
  FakeLine.newest.tell("client", "closing", {
    code: 1012,
    reason: "restarting",
    retry_after_ms: 3000,
  });
  FakeLine.newest.end(1012);
  expect(socket.link).toMatchObject({ state: "waiting", reason: "restarting" });
  vi.advanceTimersByTime(2_999);
  expect(FakeLine.lines).toHaveLength(1);
  vi.advanceTimersByTime(400);
  expect(FakeLine.lines).toHaveLength(2);
});

test.each([
  [4401, "signed_out"],
  [4429, "too_many"],
  [4400, "outdated"],
])("close code %i ends the line and nothing brings it back by itself", (code, reason) => {
  const socket = connected();
  FakeLine.newest.end(code);
  expect(socket.link).toEqual({ state: "ended", reason });
  vi.advanceTimersByTime(240_000);
  expect(FakeLine.lines).toHaveLength(1);
  expect(socket.link).toEqual({ state: "ended", reason });
});

test("the last frame counts where the close has lost its code", () => {
  const socket = connected();
  FakeLine.newest.tell("client", "closing", { code: 4401, reason: "token_revoked" });
  FakeLine.newest.end(1006);
  expect(socket.link).toEqual({ state: "ended", reason: "signed_out" });
});

test("refused handshakes of a session that has ended are recognised", async () => {
  const socket = connected();
  FakeLine.newest.end(1006);
  isSignedIn = false;
  for (let attempt = 0; attempt < 3; attempt++) {
    await vi.advanceTimersByTimeAsync(10_000);
    FakeLine.newest.end(1006);
  }
  await vi.advanceTimersByTimeAsync(0);
  expect(socket.link).toEqual({ state: "ended", reason: "signed_out" });
});

test("refused handshakes of a good session are an outage", async () => {
  const socket = connected();
  FakeLine.newest.end(1006);
  for (let attempt = 0; attempt < 6; attempt++) {
    await vi.advanceTimersByTimeAsync(10_000);
    FakeLine.newest.end(1006);
  }
  expect(socket.link).toMatchObject({ state: "waiting" });
});

test("whoever asks to try now does not wait", () => {
  const socket = connected();
  FakeLine.newest.end(1006);
  socket.retryNow();
  expect(FakeLine.lines).toHaveLength(2);
  FakeLine.newest.accept();
  expect(socket.link).toEqual({ state: "open" });
});

test("a browser that says it is off line is believed until the line answers", () => {
  const socket = connected();
  window.dispatchEvent(new Event("offline"));
  expect(socket.link).toEqual({ state: "offline" });
});
