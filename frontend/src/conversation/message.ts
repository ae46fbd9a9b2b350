/** A user as others see one; the assistant has the id 0. */
export interface Person {
  id: number;
  username: string;
}

/** The id of the assistant, which is nobody's account. */
export const ASSISTANT_ID = 0;

/** A file that belongs to a message, or will. */
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

/** An emoji on a message, and whose it is. */
export interface Reaction {
  emoji: string;
  user_ids: number[];
}

/** The place of a message among the alternatives to it. */
export interface Branch {
  index: number;
  count: number;
  selected: boolean;
}

/** Whether somebody has allowed a tool call that changes something. */
export interface Approval {
  state: "waiting" | "approved" | "denied" | "expired";
  by: Person | null;
  expires_at: string | null;
}

/** A step of an answer: one call of a tool. */
export interface ToolCall {
  type: "tool";
  id: string;
  name: string;
  title: string;
  /** Where in the answer it happened. */
  offset?: number;
  arguments: Record<string, unknown>;
  /** Arguments that are still coming. */
  raw?: string;
  status: "running" | "waiting_approval" | "done" | "error" | "denied";
  result: string | null;
  approval: Approval | null;
}

export type RunStatus = "queued" | "running" | "finished" | "cancelled" | "error" | "interrupted";

/** How an answer of the assistant came about: `R` of the contract. */
export interface Run {
  id: string;
  message_id: string;
  request_id: string | null;
  conversation_id: string;
  status: RunStatus;
  backend: "openai" | "workspace";
  model: string | null;
  started_by: Person | null;
  seq: number;
  offset: number;
  /** Only where a run is told as a whole. */
  text?: string;
  parts: ToolCall[];
  usage: { input_tokens: number; output_tokens: number; is_estimated: boolean } | null;
  error: { code: string; message: string } | null;
  cancelled_by: Person | null;
  continues: string | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
}

/** One message as it travels: `M` of the contract. */
export interface Message {
  id: string;
  seq: number;
  client_id: string;
  role: "user" | "assistant";
  author: Person;
  body: string;
  /** Rendered and cleaned by the server; empty once it is deleted. */
  html: string;
  reply_to: string | null;
  thread_id: string | null;
  reply_count: number;
  last_reply_at: string | null;
  parent_id: string | null;
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

/** The first message of a thread, as its replies change it. */
export type ThreadRoot = Pick<Message, "id" | "reply_count" | "last_reply_at">;

/** A member of the conversation. */
export interface Member extends Person {
  role: "owner" | "member";
}

export type AssistantMode = "off" | "mention" | "always";

/** What a conversation is called and how its assistant behaves. */
export interface Heading {
  id: string;
  title: string;
  assistant: AssistantMode;
  backend?: { kind: "openai" | "workspace"; model: string | null };
  /** What a message to the assistant may begin with. */
  commands?: { name: string; usage: string; description: string }[];
}

/** What the reader has not read of a conversation. */
export interface Unread {
  conversation_id: string;
  /** 100 means "100 or more". */
  unread: number;
  mentions: number;
  read_seq: number;
  /** Followed threads with something unread in them. */
  threads: { thread_id: string; unread: number }[];
}

/** How far a member has got. */
export interface Receipt {
  user_id: number;
  thread_id: string | null;
  delivered_seq: number;
  read_seq: number;
}

/** A member's marks that are nobody else's business any more. */
export type Retracted = Pick<Receipt, "user_id" | "thread_id">;

/** What a crowd is told in place of names: `count` of the `members` have got at least as far as `seq`. */
export interface ReceiptCounts {
  members: number;
  /** The furthest marks first. */
  read: { seq: number; count: number }[];
}

/** What the page was given when it was rendered, and what a join gives again. */
export interface ConversationStart {
  conversation: Heading;
  user: Person;
  members: Member[];
  messages: Message[];
  seq: number;
  has_more: boolean;
  unread?: Unread;
  /** The answers that are being written, with their texts so far. */
  runs?: Run[];
}

/** A message of our own that the server has not confirmed. */
export interface UnsentMessage {
  client_id: string;
  body: string;
  reply_to: string | null;
  thread_id: string | null;
  attachments: Attachment[];
  /** Whether the assistant is asked with it, whatever it says. */
  is_command: boolean;
  created_at: string;
  state: "pending" | "failed";
  /** Why it failed, in a sentence; empty while it is pending. */
  problem: string;
}
