import { expect, test } from "vitest";
import { IDLE_MS, REPEAT_MS, Typist, typingLine } from "../../src/conversation/typing";
import { ada, grace } from "./people";

const settled = () => new Promise<void>((resolve) => setTimeout(resolve));

function desk() {
  const told: string[] = [];
  const timers = new Map<number, () => void>();
  let now = 0;
  let next = 1;
  let joined = Promise.resolve();
  const typist = new Typist({
    joined: () => joined,
    push: (event) => told.push(event),
    now: () => now,
    wait: (callback, ms) => {
      expect(ms).toBe(IDLE_MS);
      timers.set(next, callback);
      next += 1;
      return next - 1;
    },
    forget: (timer) => timers.delete(timer),
  });
  return {
    typist,
    told,
    /** Types a letter (or empties the field), and lets the page say so. */
    type: async (isEmpty = false) => {
      typist.typed(isEmpty);
      await settled();
    },
    pass: (ms: number) => {
      now += ms;
    },
    /** Cuts the connection; what it returns brings it back. */
    cut: () => {
      let mend = (): void => {};
      joined = new Promise((resolve) => {
        mend = resolve;
      });
      return async () => {
        mend();
        await settled();
      };
    },
    goIdle: () => {
      for (const callback of timers.values()) callback();
    },
  };
}

test("keys in quick succession are told once, and again after a while", async () => {
  const { told, type, pass } = desk();
  for (let key = 0; key < 20; key += 1) await type();
  expect(told).toEqual(["start_typing"]);
  pass(REPEAT_MS);
  await type();
  expect(told).toEqual(["start_typing", "start_typing"]);
});

test("whoever pauses, or empties the field, has stopped", async () => {
  const { told, type, goIdle } = desk();
  await type();
  goIdle();
  await type();
  await type(true);
  expect(told).toEqual(["start_typing", "stop_typing", "start_typing", "stop_typing"]);
});

test("a message that is sent says it by itself, and nobody stops who has not begun", async () => {
  const { typist, told, type } = desk();
  typist.stop();
  await type();
  typist.stop(true);
  expect(told).toEqual(["start_typing"]);
});

test("what was written before the page was joined is told once it is, if it goes on", async () => {
  const { told, type, pass, cut, goIdle } = desk();
  const join = cut();
  for (let key = 0; key < 5; key += 1) {
    await type();
    pass(REPEAT_MS);
  }
  expect(told).toEqual([]);
  await join();
  expect(told).toEqual(["start_typing"]);

  const joinAgain = cut();
  goIdle();
  await type();
  goIdle();
  await joinAgain();
  expect(told).toEqual(["start_typing", "stop_typing"]);
});

test("one line says who types, however many they are", () => {
  expect(typingLine([])).toBe("");
  expect(typingLine([ada])).toBe("ada is typing…");
  expect(typingLine([ada, grace])).toBe("ada and grace are typing…");
  expect(typingLine([ada, grace, ada, grace])).toBe("4 people are typing…");
});
