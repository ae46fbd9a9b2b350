import type { Channel } from "phoenix";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Place, placesOf, Whereabouts } from "../../src/presence/whereabouts";

const LAUNCH = { topic: "conversation:1", title: "Launch" };
const LUNCH = { topic: "conversation:2", title: "Lunch" };

let asked: string[][];
let found: ReadonlyMap<number, Place> | null;
let answer: () => Promise<ReadonlyMap<string, readonly number[]>>;
let joined: Promise<void>;
const lobby = {
  whenJoined: () => joined,
  viewers: (topics: readonly string[]) => {
    asked.push([...topics]);
    return answer();
  },
};

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  found = null;
  joined = Promise.resolve();
  answer = () => Promise.resolve(new Map([[LAUNCH.topic, [2]]]));
});
afterEach(() => vi.useRealTimers());

function whereabouts(): Whereabouts {
  return new Whereabouts(
    lobby,
    () => [LAUNCH, LUNCH],
    (places) => {
      found = places;
    },
  );
}

test("who looks at several conversations is in the liveliest", () => {
  const viewers = new Map([
    [LUNCH.topic, [1, 2]],
    [LAUNCH.topic, [2, 3]],
  ]);
  const places = placesOf(viewers, [LAUNCH, LUNCH]);
  expect([...places].map(([id, { title }]) => [id, title])).toEqual([
    [2, "Launch"],
    [3, "Launch"],
    [1, "Lunch"],
  ]);
});

test("it is asked for once, then again in a while", async () => {
  await whereabouts().ask();
  expect(asked).toEqual([[LAUNCH.topic, LUNCH.topic]]);
  expect(found?.get(2)).toEqual(LAUNCH);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveLength(2);
});

test("without a line nobody is asked, and once it is back they are at once", async () => {
  let join = (): void => {};
  joined = new Promise((resolve) => {
    join = resolve;
  });
  const asking = whereabouts().ask();
  await vi.advanceTimersByTimeAsync(50_000);
  expect(asked).toEqual([]);
  join();
  await asking;
  expect(asked).toHaveLength(1);
});

test("a refusal leaves what was shown, and is tried again", async () => {
  const one = whereabouts();
  await one.ask();
  answer = () => Promise.reject(new Error("Too fast."));
  await one.ask();
  expect(found?.get(2)).toEqual(LAUNCH);
  answer = () => Promise.resolve(new Map());
  await vi.advanceTimersByTimeAsync(20_000);
  expect(found?.size).toBe(0);
});

/** The part of a channel that the real `Presence` of phoenix uses. */
class HeardChannel {
  readonly #heard: { event: string; callback: (payload: unknown) => void }[] = [];

  on(event: string, callback: (payload: unknown) => void): number {
    return this.#heard.push({ event, callback });
  }

  joinRef(): string {
    return "1";
  }

  hear(event: string, payload: unknown): void {
    for (const one of this.#heard) if (one.event === event) one.callback(payload);
    vi.advanceTimersByTime(100);
  }
}

function person(phx_ref: string, viewing: boolean): object {
  return { metas: [{ phx_ref, username: "grace", activity: "active", viewing }] };
}

test("of a conversation that the page has joined it hears at once, and asks for the others only", async () => {
  const one = whereabouts();
  const channel = new HeardChannel();
  answer = () => Promise.resolve(new Map([[LUNCH.topic, [3]]]));
  one.listen(LAUNCH.topic, channel as unknown as Channel);
  await one.ask();
  expect(asked).toEqual([[LUNCH.topic]]);

  channel.hear("presence_state", { 2: person("a", false) });
  expect([...(found ?? [])]).toEqual([[3, LUNCH]]);
  const joins = { 2: person("b", true) };
  channel.hear("presence_diff", { joins, leaves: { 2: person("a", false) } });
  expect(found?.get(2)).toEqual(LAUNCH);
  expect(found?.get(3)).toEqual(LUNCH);
  channel.hear("presence_diff", { joins: {}, leaves: joins });
  expect([...(found ?? [])]).toEqual([[3, LUNCH]]);
});

test("whoever has joined all conversations asks nobody", async () => {
  const one = whereabouts();
  for (const { topic } of [LAUNCH, LUNCH]) {
    one.listen(topic, new HeardChannel() as unknown as Channel);
  }
  await one.ask();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toEqual([]);
});
