import { expect, test } from "vitest";
import { candidatesFor } from "../../src/conversation/candidates";
import { completed, fitting, triggerAt } from "../../src/conversation/completion";
import { ada, grace } from "./people";

const people = candidatesFor("mention", {
  user: ada,
  members: new Map([
    [1, { ...ada, role: "owner" as const }],
    [2, { ...grace, role: "member" as const }],
  ]),
  heading: { id: "c", title: "Demo", assistant: "mention" },
});

test("a name is completed at the start of a word, a command at the start of the text", () => {
  expect(triggerAt("hello @gr", 9)).toEqual({ kind: "mention", from: 6, query: "gr" });
  expect(triggerAt("(@", 2)).toEqual({ kind: "mention", from: 1, query: "" });
  expect(triggerAt("/he", 3)).toEqual({ kind: "command", from: 0, query: "he" });
  expect(triggerAt("ada@example", 11)).toBeNull();
  expect(triggerAt("see /etc", 8)).toBeNull();
  expect(triggerAt("/search words", 13)).toBeNull();
});

test("code is left alone", () => {
  expect(triggerAt("`@gr", 4)).toBeNull();
  expect(triggerAt("```\n@gr", 7)).toBeNull();
  expect(triggerAt("`a` @gr", 7)).not.toBeNull();
});

test("the others and the assistant can be mentioned, not oneself", () => {
  expect(people.map(({ text }) => text)).toEqual(["@grace", "@assistant"]);
});

test("names that begin with the letters go before those that hold them", () => {
  const found = fitting(people, "a");
  expect(found.map(({ title }) => title)).toEqual(["assistant", "grace"]);
  expect(fitting(people, "zz")).toEqual([]);
});

test("what is taken replaces the letters and leaves the rest", () => {
  const trigger = triggerAt("hi @gr there", 6);
  const [candidate] = fitting(people, "gr");
  if (trigger === null || candidate === undefined) throw new Error("nothing to complete");
  expect(completed("hi @gr there", trigger, candidate)).toEqual({
    text: "hi @grace there",
    caret: 10,
  });
  expect(completed("hi @gr", { ...trigger }, candidate)).toEqual({ text: "hi @grace ", caret: 10 });
});

test("commands come from the server where it names them", () => {
  const commands = candidatesFor("command", {
    user: ada,
    members: new Map(),
    heading: {
      id: "c",
      title: "Demo",
      assistant: "mention",
      commands: [{ name: "time", usage: "/time", description: "What time it is" }],
    },
  });
  expect(commands.map(({ text }) => text)).toEqual(["/time"]);
});
