/** A user as others see one. */
export interface Person {
  id: number;
  username: string;
}

/** One message as it travels: `M` of the contract. */
export interface Message {
  id: string;
  seq: number;
  client_id: string;
  role: "user" | "assistant";
  /** The assistant is nobody's account: `{id: 0, username: "assistant"}`. */
  author: Person;
  body: string;
  /** The body as safe HTML; empty once deleted. */
  html: string;
  reply_to: string | null;
  /** The first message of the thread that it is in; null in the main timeline. */
  thread_id: string | null;
  reply_count: number;
  last_reply_at: string | null;
  /** The message that it answers. */
  parent_id: string | null;
  /** The first of the alternatives at its place (itself included); null while there are none. */
  branch_of: string | null;
  branch: Branch | null;
  revision: number;
  edited_at: string | null;
  deleted_at: string | null;
  mentions: number[];
  mentions_assistant: boolean;
  attachments: Attachment[];
  reactions: Reaction[];
  pinned_at: string | null;
  pinned_by: Person | null;
  run: Run | null;
  created_at: string;
}

/** Which of the alternatives at its place a message is: `index` from 1 to `count`. */
export interface Branch {
  index: number;
  count: number;
  selected: boolean;
}

/** A file of a message: `A`. */
export interface Attachment {
  id: string;
  name: string;
  size: number;
  content_type: string;
  is_image: boolean;
  width: number | null;
  height: number | null;
  url: string;
}

/** One emoji and who chose it. */
export interface Reaction {
  emoji: string;
  user_ids: number[];
}

/** An answer in the making, or how it went: `R`. */
export interface Run {
  id: string;
  message_id: string;
  request_id: string | null;
  conversation_id: string;
  status: "queued" | "running" | "finished" | "cancelled" | "error" | "interrupted";
  backend: "openai" | "workspace";
  model: string | null;
  started_by: Person;
  seq: number;
  offset: number;
  text?: string;
  parts: ToolPart[];
  usage: { input_tokens: number; output_tokens: number; is_estimated: boolean } | null;
  error: { code: string; message: string } | null;
  cancelled_by: Person | null;
  continues: string | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
}

/** A tool call of a run: `P`. */
export interface ToolPart {
  type: "tool";
  id: string;
  name: string;
  title: string;
  arguments: Record<string, unknown>;
  status: "running" | "waiting_approval" | "done" | "error" | "denied";
  result: string | null;
  approval: {
    state: "waiting" | "approved" | "denied" | "expired";
    by: Person | null;
    expires_at: string;
  } | null;
}

/** A member of the conversation. */
export interface Member extends Person {
  role: "owner" | "member";
}

/** What the page was given when it was rendered, and what a join gives again. */
export interface ConversationStart {
  conversation: { id: string; title: string; assistant: "off" | "mention" | "always" };
  pins: string[];
  user: Person;
  members: Member[];
  messages: Message[];
  seq: number;
  has_more: boolean;
}

/** A message of our own that the server has not confirmed. */
export interface UnsentMessage {
  client_id: string;
  body: string;
  reply_to: string | null;
  created_at: string;
  state: "pending" | "failed";
  /** Why it failed, in a sentence; empty while it is pending. */
  problem: string;
}
