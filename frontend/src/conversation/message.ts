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
  author: Person;
  body: string;
  reply_to: string | null;
  created_at: string;
}

/** A member of the conversation. */
export interface Member extends Person {
  role: "owner" | "member";
}

/** What the page was given when it was rendered, and what a join gives again. */
export interface ConversationStart {
  conversation: { id: string; title: string };
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
