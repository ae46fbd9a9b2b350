import type { Message, Person } from "../../src/conversation/message";

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
