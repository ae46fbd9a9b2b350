import type { Channel } from "phoenix";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Lobby } from "../../src/presence/lobby";
import type { UserSocket } from "../../src/realtime/user_socket";

type Answers = Map<string, (reply: object) => void>;

/** A channel whose other end is the test. */
class FakeChannel {
  state = "closed";
  readonly told: [string, object][] = [];
  readonly #joining: Answers = new Map();

  on(): number {
    return 0;
  }

  join(): object {
    return answered(this.#joining);
  }

  push(event: string, payload: object): object {
    this.told.push([event, payload]);
    return answered(new Map());
  }

  come(): void {
    this.state = "joined";
    this.#joining.get("ok")?.({});
  }
}

function answered(answers: Answers): object {
  const push = {
    receive: (status: string, callback: (reply: object) => void) => {
      answers.set(status, callback);
      return push;
    },
  };
  return push;
}

let site: FakeChannel;
let room: FakeChannel;
let lobby: Lobby;

beforeEach(() => {
  vi.useFakeTimers();
  site = new FakeChannel();
  room = new FakeChannel();
  const socket = { channel: () => site } as unknown as UserSocket;
  lobby = new Lobby(socket, () => undefined);
  lobby.tellAlsoOn(room as unknown as Channel);
  lobby.join();
});
afterEach(() => vi.useRealTimers());

const idle = ["set_activity", { activity: "idle" }];

test("whoever became idle while nobody listened is told as idle once somebody does", async () => {
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(site.told).toEqual([]);
  site.come();
  expect(site.told).toEqual([idle]);
});

test("a room alone that listens again is told who is idle", async () => {
  room.come();
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  room.told.length = 0;
  lobby.tellAgain(room as unknown as Channel);
  expect(room.told).toContainEqual(idle);
});

test("a room beside a lobby that listens is told only what is looked at", async () => {
  site.come();
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  lobby.tellAgain(room as unknown as Channel);
  expect(room.told).toEqual([["set_viewing", { viewing: true }]]);
});

test("whoever waits for the lobby goes on once it listens, after every outage", async () => {
  const seen: string[] = [];
  void lobby.whenJoined().then(() => seen.push("first"));
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toEqual([]);
  site.come();
  await lobby.whenJoined();
  expect(seen).toEqual(["first"]);
  site.state = "errored";
  void lobby.whenJoined().then(() => seen.push("second"));
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toEqual(["first"]);
  site.come();
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toEqual(["first", "second"]);
});
