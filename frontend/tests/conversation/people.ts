import type { Message, Person, Run } from "../../src/conversation/message";

export const ada: Person = { id: 1, username: "ada" };
export const grace: Person = { id: 2, username: "grace" };

/** A message said by `author` at place `seq`, one minute after the one before unless told. */
export function said(author: Person, seq: number, body = `message ${seq}`, at?: string): Message {
  return {
    id: `00000000-0000-7000-8000-${String(seq).padStart(12, "0")}`,
    seq,
    client_id: `c${seq}`,
    role: "user",
    author,
    body,
    html: "",
    reply_to: null,
    thread_id: null,
    reply_count: 0,
    last_reply_at: null,
    parent_id: null,
    branch_of: null,
    branch: null,
    revision: 1,
    edited_at: null,
    deleted_at: null,
    mentions: [],
    mentions_assistant: false,
    attachments: [],
    reactions: [],
    pinned_at: null,
    pinned_by: null,
    run: null,
    created_at: at ?? new Date(Date.UTC(2026, 5, 1, 12, seq)).toISOString(),
  };
}

const assistant: Person = { id: 0, username: "assistant" };

/** An answer of the assistant whose run is as told. */
export function answered(seq: number, run: Partial<Run>, body = ""): Message {
  return {
    ...said(assistant, seq, body),
    role: "assistant",
    html: body === "" ? "" : `<p>${body}</p>`,
    run: {
      id: `run-${seq}`,
      message_id: said(assistant, seq).id,
      request_id: null,
      conversation_id: "c",
      status: "finished",
      backend: "openai",
      model: "small",
      started_by: ada,
      seq: 3,
      offset: 0,
      parts: [],
      usage: null,
      error: null,
      cancelled_by: null,
      continues: null,
      created_at: "2026-06-01T12:00:00.000Z",
      started_at: "2026-06-01T12:00:00.000Z",
      ended_at: null,
      ...run,
    },
  };
}
