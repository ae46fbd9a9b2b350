import type { Channel } from "phoenix";
import { Roster } from "../presence/roster";
import type { UserSocket } from "../realtime/user_socket";
import type {
  ConversationStart,
  Message,
  Receipt,
  ReceiptCounts,
  Run,
  UnsentMessage,
} from "./message";
import type { Typing } from "./state";
import type { SendOutcome } from "./unsent";

const SEND_DEADLINE_MS = 8_000;
const PAGE_MESSAGES = 50;
/** Refusals that no repeat will change. */
const FINAL = new Set(["invalid_payload", "forbidden", "not_found", "too_large", "unauthorized"]);

/** What a join gives. */
export interface JoinReply extends ConversationStart {
  reset: boolean;
  runs?: Run[];
  receipts?: Receipt[];
  receipt_counts?: ReceiptCounts | null;
  typing?: Typing[];
  pins?: string[];
}

/** One page of messages, oldest first. */
export interface HistoryPage {
  messages: Message[];
  has_more: boolean;
  has_more_before: boolean;
  has_more_after: boolean;
}

/** Which page of messages. */
export interface HistoryQuery {
  before_seq?: number;
  after_seq?: number;
  around_seq?: number;
  thread_id?: string;
  limit?: number;
}

/** What a room tells its page. */
export interface RoomPage {
  lastSeq: () => number;
  joined: (reply: JoinReply) => void;
  left: () => void;
  refused: (message: string) => void;
  /** Anything that the topic tells but presence. */
  told: (event: string, payload: Record<string, unknown>) => void;
  answered: (message: Message) => void;
  peopleChanged: () => void;
}

/** Everything that the topic may tell. */
export const EVENTS = [
  "branch_selected",
  "conversation_changed",
  "conversation_renamed",
  "member_added",
  "member_changed",
  "member_removed",
  "message_completed",
  "message_deleted",
  "message_edited",
  "message_pinned",
  "message_sent",
  "message_unpinned",
  "reaction_added",
  "reaction_removed",
  "receipts_changed",
  "run_event",
  "typing_changed",
] as const;

/** Why the server did not do what it was asked to. */
export class Refusal extends Error {
  readonly reason: string;
  readonly retryAfterMs: number | null;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(reply: Record<string, unknown>) {
    super(String(reply.message ?? "The server refused it."));
    this.reason = String(reply.reason ?? "");
    this.retryAfterMs = typeof reply.retry_after_ms === "number" ? reply.retry_after_ms : null;
    this.details = reply;
  }
}

/** The channel `conversation:<id>` in the words of the page. */
export class Room {
  readonly channel: Channel;
  /** Who has this conversation open now. */
  readonly roster: Roster;
  readonly #page: RoomPage;
  #waiting: (() => void)[] = [];
  #watcher: (isJoined: boolean) => void = () => undefined;
  /** Why the server lets the page in no more; empty while it may. */
  #refusal = "";

  constructor(socket: UserSocket, conversationId: string, page: RoomPage) {
    this.#page = page;
    this.channel = socket.channel(`conversation:${conversationId}`, () => ({
      since: page.lastSeq(),
    }));
    this.roster = new Roster(this.channel, () => page.peopleChanged());
    this.#listen();
  }

  /** Whether the server listens to this page now. */
  get isJoined(): boolean {
    return this.channel.state === "joined";
  }

  /** Joins, and joins again after every outage from wherever the page has got to. */
  join(): void {
    this.channel
      .join()
      .receive("ok", (reply) => {
        this.#page.joined(reply as JoinReply);
        for (const go of this.#waiting.splice(0)) go();
        this.#watcher(true);
      })
      .receive("error", (reply) => {
        const refusal = new Refusal(reply as Record<string, unknown>);
        if (!FINAL.has(refusal.reason)) return;
        this.channel.leave();
        this.#refuse(refusal.message);
      });
  }

  /** Calls `watcher` when the server begins to listen to this page, and when it ceases to. */
  watch(watcher: (isJoined: boolean) => void): void {
    this.#watcher = watcher;
  }

  /** Resolves once the server listens, at once if it does already. */
  whenJoined(): Promise<void> {
    if (this.isJoined) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Asks for something; rejects with a Refusal, or with an Error when no answer comes.
   *
   * What is asked while the page is on its way in goes out as soon as it is.
   */
  ask<Reply>(event: string, command: object): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!this.isJoined && this.channel.state !== "joining") {
        reject(new Error(this.#refusal || "You are not connected."));
        return;
      }
      this.channel
        .push(event, command, SEND_DEADLINE_MS)
        .receive("ok", (reply) => resolve(reply as Reply))
        .receive("error", (reply) => reject(new Refusal(reply as Record<string, unknown>)))
        .receive("timeout", () => reject(new Error("The server did not answer.")));
    });
  }

  /**
   * Says something that needs no answer; while nobody listens it is not said.
   *
   * Whoever is told to wait hears of it once they have waited: `again`.
   */
  tell(event: string, command: object, again?: () => void): void {
    if (!this.isJoined) return;
    const said = this.channel.push(event, command);
    if (again === undefined) return;
    said.receive("error", (reply) => {
      const { retryAfterMs } = new Refusal(reply as Record<string, unknown>);
      if (retryAfterMs !== null) window.setTimeout(again, retryAfterMs);
    });
  }

  /** Sends one message; resolves with what became of it. */
  async send(message: UnsentMessage): Promise<SendOutcome> {
    try {
      if (message.is_command) {
        const { client_id, body } = message;
        await this.ask("start_run", { client_id, body, queue: true });
        return { kind: "sent" };
      }
      const reply = await this.ask<{ message: Message }>("send_message", commandOf(message));
      this.#page.answered(reply.message);
      return { kind: "sent" };
    } catch (error) {
      return outcomeOf(error);
    }
  }

  /** One page of messages. Rejects with a sentence. */
  history(query: HistoryQuery): Promise<HistoryPage> {
    return this.ask("fetch_history", { limit: PAGE_MESSAGES, ...query });
  }

  #listen(): void {
    for (const event of EVENTS) {
      this.channel.on(event, (payload) => {
        this.#page.told(event, payload as Record<string, unknown>);
      });
    }
    this.channel.onError(() => this.#left());
    this.channel.onClose((reason) => {
      // "leave" is our own; the server closes a topic for good when we are no longer a member.
      if (reason === "leave") return;
      this.#left();
      this.#refuse("You are no longer in this conversation.");
    });
  }

  #refuse(reason: string): void {
    this.#refusal = reason;
    this.#page.refused(reason);
  }

  #left(): void {
    this.#page.left();
    this.#watcher(false);
  }
}

function commandOf(message: UnsentMessage): Record<string, unknown> {
  const { client_id, body, reply_to, thread_id, attachments } = message;
  return {
    client_id,
    body,
    ...(reply_to !== null && { reply_to }),
    ...(thread_id !== null && { thread_id }),
    ...(attachments.length > 0 && { attachment_ids: attachments.map(({ id }) => id) }),
  };
}

function outcomeOf(error: unknown): SendOutcome {
  if (!(error instanceof Refusal)) return { kind: "later", afterMs: 0 };
  if (FINAL.has(error.reason)) return { kind: "refused", problem: error.message };
  return { kind: "later", afterMs: error.retryAfterMs ?? 1_000 };
}
