import type { Channel } from "phoenix";
import { Roster } from "../presence/roster";
import type { UserSocket } from "../realtime/user_socket";
import type { ConversationStart, Member, Message, UnsentMessage } from "./message";
import type { SendOutcome } from "./unsent";

const SEND_DEADLINE_MS = 8_000;
const PAGE_MESSAGES = 50;
/** Refusals that no repeat will change. */
const FINAL = new Set(["invalid_payload", "forbidden", "not_found", "too_large", "unauthorized"]);

/** What a room tells its page. */
export interface RoomPage {
  lastSeq: () => number;
  joined: (
    reply: Pick<ConversationStart, "seq" | "members" | "conversation" | "messages">,
    isReset: boolean,
  ) => void;
  left: () => void;
  refused: (message: string) => void;
  sent: (message: Message) => void;
  answered: (message: Message) => void;
  membersChanged: (seq: number, event: string, member: Member) => void;
  renamed: (seq: number, title: string) => void;
  peopleChanged: () => void;
}

interface Refusal {
  reason?: string;
  message?: string;
  retry_after_ms?: number;
}

/** The channel `conversation:<id>` in the words of the page. */
export class Room {
  readonly channel: Channel;
  /** Who has this conversation open now. */
  readonly roster: Roster;
  readonly #page: RoomPage;

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
        const start = reply as ConversationStart & { reset: boolean };
        this.#page.joined(start, start.reset);
      })
      .receive("error", (reply) => {
        const refusal = reply as Refusal;
        if (!FINAL.has(refusal.reason ?? "")) return;
        this.channel.leave();
        this.#page.refused(refusal.message ?? "You cannot open this conversation.");
      });
  }

  /** Sends one message; resolves with what became of it. */
  send(message: UnsentMessage): Promise<SendOutcome> {
    const { client_id, body, reply_to } = message;
    const command = reply_to === null ? { client_id, body } : { client_id, body, reply_to };
    return new Promise((resolve) => {
      this.channel
        .push("send_message", command, SEND_DEADLINE_MS)
        .receive("ok", (reply) => {
          this.#page.answered((reply as { message: Message }).message);
          resolve({ kind: "sent" });
        })
        .receive("error", (reply) => resolve(outcomeOf(reply as Refusal)))
        .receive("timeout", () => resolve({ kind: "later", afterMs: 0 }));
    });
  }

  /** Messages before `seq`, oldest first. Rejects with a sentence. */
  history(seq: number): Promise<{ messages: Message[]; has_more: boolean }> {
    return new Promise((resolve, reject) => {
      this.channel
        .push("fetch_history", { before_seq: seq, limit: PAGE_MESSAGES })
        .receive("ok", (page) => resolve(page as { messages: Message[]; has_more: boolean }))
        .receive("error", (reply) => reject(new Error((reply as Refusal).message)))
        .receive("timeout", () => reject(new Error("The server did not answer.")));
    });
  }

  #listen(): void {
    this.channel.on("message_sent", (payload) => {
      this.#page.sent((payload as { message: Message }).message);
    });
    for (const event of ["member_added", "member_changed", "member_removed"]) {
      this.channel.on(event, (payload) => {
        const { seq, member } = payload as { seq: number; member: Member };
        this.#page.membersChanged(seq, event, member);
      });
    }
    this.channel.on("conversation_renamed", (payload) => {
      const fact = payload as { seq: number; conversation: { title: string } };
      this.#page.renamed(fact.seq, fact.conversation.title);
    });
    this.channel.onError(() => this.#page.left());
    this.channel.onClose((reason) => {
      // "leave" is our own; the server closes a topic for good when we are no longer a member.
      if (reason !== "leave") this.#page.refused("You are no longer in this conversation.");
    });
  }
}

function outcomeOf(refusal: Refusal): SendOutcome {
  if (FINAL.has(refusal.reason ?? "")) {
    return { kind: "refused", problem: refusal.message ?? "The server refused it." };
  }
  return { kind: "later", afterMs: refusal.retry_after_ms ?? 1_000 };
}
