import { expect, test } from "vitest";
import { Deeds, type DeedsPage } from "../../src/conversation/deeds";
import { Refusal } from "../../src/conversation/room";
import { ConversationState } from "../../src/conversation/state";
import { ada, said } from "./people";

test("saving again replaces what the refusal told of, though the fact has not come yet", async () => {
  const message = said(ada, 1);
  const theirs = { ...message, body: "theirs", revision: 2 };
  const asked: unknown[] = [];
  const state = new ConversationState(
    {
      conversation: { id: "c", title: "Demo", assistant: "mention" },
      user: ada,
      members: [{ ...ada, role: "owner" }],
      messages: [message],
      seq: 1,
      has_more: false,
    },
    { fetchRun: () => Promise.reject(new Error("not here")), changed: () => undefined },
  );
  const room = {
    ask: async (_: string, command: object) => {
      asked.push(command);
      if (asked.length === 1) throw new Refusal({ reason: "conflict", current: theirs });
      return {};
    },
  };
  const ignore = () => undefined;
  const page = { state, room, draw: ignore, reveal: ignore, leaveEdit: ignore };
  const deeds = new Deeds(page as unknown as DeedsPage);
  const save = async () => {
    deeds.act({ verb: "save-edit", key: "k", message, value: "mine" });
    await new Promise((resolve) => setTimeout(resolve));
  };

  deeds.act({ verb: "edit", key: "k", message });
  await save();
  expect(deeds.editing).toMatchObject({ text: "mine", isBusy: false });
  expect(state.timeline.get(message.id)?.body).toBe("theirs");
  await save();
  expect(asked).toEqual([
    { message_id: message.id, revision: 1, body: "mine" },
    { message_id: message.id, revision: 2, body: "mine" },
  ]);
  expect(deeds.editing).toBeNull();
});
