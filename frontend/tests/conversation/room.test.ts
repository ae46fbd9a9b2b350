import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Room } from "../../src/conversation/room";
import { UserSocket } from "../../src/realtime/user_socket";
import { FakeLine } from "../realtime/fake_line";

const TOPIC = "conversation:c";
const JOINED = { seq: 0, reset: false, messages: [] };

/** A page that enters a conversation; the line and its other end are the test's. */
function enter() {
  const news: string[] = [];
  const socket = new UserSocket("/socket", { isOnline: () => true, isSignedIn: async () => true });
  const room = new Room(socket, "c", {
    lastSeq: () => 0,
    joined: () => news.push("joined"),
    left: () => news.push("left"),
    refused: (message) => news.push(message),
    told: () => undefined,
    answered: () => undefined,
    peopleChanged: () => undefined,
  });
  room.watch((isJoined) => news.push(isJoined ? "is joined" : "is not joined"));
  room.join();
  socket.open();
  return { room, news };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeLine);
  FakeLine.lines = [];
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("what is asked on the way in goes out as soon as the page is in", async () => {
  const { room } = enter();
  const early = room.ask("cancel_run", { run_id: "r" });
  FakeLine.newest.accept();
  const alsoEarly = room.ask("pin_message", { message_id: "m" });
  expect(FakeLine.newest.eventsOn(TOPIC)).toEqual(["phx_join"]);

  FakeLine.newest.reply(TOPIC, "phx_join", JOINED);
  expect(FakeLine.newest.eventsOn(TOPIC)).toEqual(["cancel_run", "pin_message"]);
  FakeLine.newest.reply(TOPIC, "cancel_run", { verdict: "stopped" });
  FakeLine.newest.reply(TOPIC, "pin_message", {});
  expect(await early).toEqual({ verdict: "stopped" });
  expect(await alsoEarly).toEqual({});
});

test("who is not let in for long is told so", async () => {
  const { room } = enter();
  const asked = room.ask("pin_message", {});
  const answer = expect(asked).rejects.toThrow("The server did not answer.");
  await vi.advanceTimersByTimeAsync(9_000);
  await answer;
});

test("what is asked without a line is refused at once, and nothing is told", async () => {
  const { room, news } = enter();
  FakeLine.newest.accept();
  FakeLine.newest.reply(TOPIC, "phx_join", JOINED);
  FakeLine.newest.end(1006);
  await expect(room.ask("pin_message", {})).rejects.toThrow("You are not connected.");
  room.tell("mark_read", { seq: 1 });
  expect(FakeLine.newest.eventsOn(TOPIC)).toEqual([]);
  expect(news).toEqual(["joined", "is joined", "left", "is not joined"]);
});

test("who is no longer a member has left, and is told why", async () => {
  const { room, news } = enter();
  FakeLine.newest.accept();
  FakeLine.newest.reply(TOPIC, "phx_join", JOINED);
  FakeLine.newest.tell(TOPIC, "phx_close", {});
  const reason = "You are no longer in this conversation.";
  expect(news.slice(2)).toEqual(["left", "is not joined", reason]);
  await expect(room.ask("pin_message", {})).rejects.toThrow(reason);
});
