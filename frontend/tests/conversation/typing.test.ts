import { expect, test } from "vitest";
import { IDLE_MS, REPEAT_MS, Typist, typingLine } from "../../src/conversation/typing";
import { ada, grace } from "./people";

function desk() {
  const told: string[] = [];
  const timers = new Map<number, () => void>();
  let now = 0;
  let next = 1;
  const typist = new Typist({
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
    pass: (ms: number) => {
      now += ms;
    },
    goIdle: () => {
      for (const callback of timers.values()) callback();
    },
  };
}

test("keys in quick succession are told once, and again after a while", () => {
  const { typist, told, pass } = desk();
  for (let key = 0; key < 20; key += 1) typist.typed(false);
  expect(told).toEqual(["start_typing"]);
  pass(REPEAT_MS);
  typist.typed(false);
  expect(told).toEqual(["start_typing", "start_typing"]);
});

test("whoever pauses, or empties the field, has stopped", () => {
  const { typist, told, goIdle } = desk();
  typist.typed(false);
  goIdle();
  typist.typed(false);
  typist.typed(true);
  expect(told).toEqual(["start_typing", "stop_typing", "start_typing", "stop_typing"]);
});

test("a message that is sent says it by itself, and nobody stops who has not begun", () => {
  const { typist, told } = desk();
  typist.stop();
  typist.typed(false);
  typist.stop(true);
  expect(told).toEqual(["start_typing"]);
});

test("one line says who types, however many they are", () => {
  expect(typingLine([])).toBe("");
  expect(typingLine([ada])).toBe("ada is typing…");
  expect(typingLine([ada, grace])).toBe("ada and grace are typing…");
  expect(typingLine([ada, grace, ada, grace])).toBe("4 people are typing…");
});
