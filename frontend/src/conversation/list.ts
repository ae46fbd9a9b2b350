import type { Channel } from "phoenix";
import type { UserSocket } from "../realtime/user_socket";
import { ASSISTANT_ID, type Message, type Unread } from "./message";
import { shortBody } from "./message_parts";
import { isActive } from "./runs";
import { showRowUnread } from "./unread";

/** More than the first rows are not followed: they come to the top when the page is next read. */
const FOLLOWED = 12;
const BETWEEN_JOINS_MS = 120;

interface Heading {
  id: string;
  title: string;
}

interface Told {
  conversation: Heading;
}

interface Listed extends Heading {
  last_message: Message | null;
}

/** The list of my conversations, live: what was said last, what is unread, which come and go. */
export class ConversationList {
  readonly #element: HTMLElement;
  readonly #userId: number;
  #socket: UserSocket | null = null;
  #joining: (topic: string, channel: Channel) => void = () => undefined;

  constructor(element: HTMLElement, userId: number) {
    this.#element = element;
    this.#userId = userId;
  }

  /**
   * Listens to the liveliest conversations but `openId`, which its page follows itself; `joining` gets each channel
   * before it joins.
   */
  follow(
    socket: UserSocket,
    openId: string | null,
    joining: (topic: string, channel: Channel) => void = () => undefined,
  ): void {
    if (this.#socket !== null) return;
    this.#socket = socket;
    this.#joining = joining;
    const channel = socket.channel(`user:${this.#userId}`);
    channel.on("membership_changed", (payload) => {
      const { conversation, role } = payload as Told & { role: string | null };
      if (role === null) this.#row(conversation.id)?.remove();
      else this.#add(conversation);
    });
    channel.on("unread_changed", (payload) => this.#showUnread(payload as Unread));
    // `user:<id>` keeps no history: what it told while nobody listened is read after each join.
    channel.join().receive("ok", (reply) => {
      this.#showAllUnread((reply as { unread?: Unread[] }).unread ?? []);
      void this.#catchUp();
    });
    const rows = [...this.#element.querySelectorAll<HTMLElement>("[data-conversation]")];
    const others = rows.filter(({ dataset }) => dataset.conversation !== openId);
    for (const [index, row] of others.slice(0, FOLLOWED).entries()) {
      window.setTimeout(() => this.#listen(row), index * BETWEEN_JOINS_MS);
    }
  }

  /** Shows what was said last in a conversation, and moves it to the top. */
  said(id: string, message: Message): void {
    const row = this.#row(id);
    if (row === null) return;
    row.dataset.lastSeq = String(message.seq);
    row.dataset.lastAuthor = String(message.author.id);
    const isOwn = message.author.id === this.#userId;
    const preview = row.querySelector("[data-row-preview]");
    if (preview !== null) {
      preview.textContent = `${isOwn ? "You" : nameOf(message)}: ${previewOf(message)}`;
    }
    const time = row.querySelector("time");
    if (time !== null) {
      time.dateTime = message.created_at;
      time.dispatchEvent(new CustomEvent("time-changed", { bubbles: true }));
    }
    // A row that is moved loses the focus: leave one alone that has it.
    const isFirst = this.#element.firstElementChild === row;
    if (!isFirst && !row.contains(document.activeElement)) this.#element.prepend(row);
  }

  /** Shows what became of the message that was said last. */
  changed(id: string, message: Message | undefined): void {
    if (message && this.#row(id)?.dataset.lastSeq === String(message.seq)) this.said(id, message);
  }

  /** All that is unread; a conversation that is not among these has nothing. */
  #showAllUnread(all: readonly Unread[]): void {
    const told = new Map(all.map((unread) => [unread.conversation_id, unread]));
    for (const row of this.#element.querySelectorAll<HTMLElement>("[data-conversation]")) {
      const unread = told.get(row.dataset.conversation ?? "");
      showRowUnread(row, unread?.unread ?? 0, unread?.mentions ?? 0);
    }
  }

  #showUnread(unread: Unread): void {
    const row = this.#row(unread.conversation_id);
    if (row !== null) showRowUnread(row, unread.unread, unread.mentions);
    document.dispatchEvent(new CustomEvent("unread-changed", { detail: unread }));
  }

  async #catchUp(): Promise<void> {
    const answer = await fetch("/api/v1/conversations/", { cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    const { results } = (await answer.json()) as { results: Listed[] };
    for (const { last_message, ...conversation } of results.reverse()) {
      const known = this.#row(conversation.id);
      if (known === null) this.#add(conversation);
      if (last_message !== null && last_message.seq > Number(known?.dataset.lastSeq ?? 0)) {
        this.said(conversation.id, last_message);
      }
    }
  }

  #listen(row: HTMLElement): void {
    const id = row.dataset.conversation ?? "";
    const channel = this.#socket?.channel(`conversation:${id}`, () => ({
      since: Number(row.dataset.since),
    }));
    if (channel === undefined) return;
    this.#joining(`conversation:${id}`, channel);
    channel.on("message_sent", (payload) => {
      const { message } = payload as { message: Message };
      row.dataset.since = String(message.seq);
      this.said(id, message);
    });
    channel.on("message_completed", (payload) => {
      this.changed(id, (payload as { message: Message }).message);
    });
    channel.on("conversation_renamed", (payload) => {
      const title = row.querySelector("[data-row-title]");
      if (title !== null) title.textContent = (payload as Told).conversation.title;
    });
    channel.join().receive("ok", (reply) => {
      const { seq, reset, messages } = reply as {
        seq: number;
        reset: boolean;
        messages?: Message[];
      };
      if (!reset) return;
      row.dataset.since = String(seq);
      const newest = messages?.at(-1);
      if (newest !== undefined) this.said(id, newest);
    });
  }

  #add({ id, title }: Heading): void {
    if (this.#row(id) !== null) return;
    const template = document.querySelector<HTMLTemplateElement>("#conversation-template");
    const row = template?.content.firstElementChild?.cloneNode(true) as HTMLElement | undefined;
    const link = row?.querySelector<HTMLAnchorElement>("a");
    const heading = row?.querySelector<HTMLElement>("[data-row-title]");
    if (row === undefined || !link || !heading) {
      // The empty list has no rows to copy: read the page again.
      window.location.reload();
      return;
    }
    row.dataset.conversation = id;
    row.dataset.since = "0";
    row.dataset.lastSeq = "0";
    link.href = `/conversations/${id}/`;
    heading.textContent = title;
    const avatar = row.querySelector(".avatar");
    if (avatar !== null) avatar.textContent = title.slice(0, 1).toLocaleUpperCase();
    this.#element.prepend(row);
    this.#listen(row);
  }

  #row(id: string): HTMLElement | null {
    return this.#element.querySelector(`[data-conversation="${CSS.escape(id)}"]`);
  }
}

function nameOf({ author }: Message): string {
  return author.id === ASSISTANT_ID ? "Assistant" : author.username;
}

function previewOf(message: Message): string {
  if (message.run !== null && isActive(message.run)) return "…";
  return shortBody(message) || message.run?.error?.message || "";
}
