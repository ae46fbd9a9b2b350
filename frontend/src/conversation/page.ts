import { Announcer } from "../announcer";
import { seenIn } from "../presence/attendance";
import { Lobby } from "../presence/lobby";
import { type ConnectionLine, spokenLink } from "../realtime/connection_line";
import "../realtime/connection_line";
import type { Link } from "../realtime/link";
import { browserSurroundings } from "../realtime/session";
import { UserSocket } from "../realtime/user_socket";
import { showToast } from "../toast";
import { Composer } from "./composer";
import { foldDetails } from "./details";
import { rowsOf } from "./grouping";
import { TimelineKeys } from "./keys";
import { ConversationList } from "./list";
import { MemberList } from "./members";
import type { ConversationStart, Member, Message } from "./message";
import { Room } from "./room";
import { Scroller } from "./scroller";
import { Timeline } from "./timeline";
import type { ConversationTimeline, MessageAction } from "./timeline_element";
import "./timeline_element";
import { ReadMark, showUnread } from "./unread";
import { UnsentMessages } from "./unsent";

const HISTORY_AHEAD_PX = 600;

/** The conversation page: joins the parts that each know one thing. */
class ConversationPage {
  readonly #start: ConversationStart;
  readonly #socket: UserSocket;
  readonly #timeline: Timeline;
  readonly #unsent: UnsentMessages;
  readonly #room: Room;
  readonly #lobby: Lobby;
  readonly #list = required<ConversationTimeline>("conversation-timeline");
  readonly #line = required<ConnectionLine>("connection-line");
  readonly #jump = required<HTMLButtonElement>("[data-jump]");
  readonly #announcer = new Announcer(required("#announcements"));
  readonly #scroller: Scroller;
  readonly #composer: Composer;
  readonly #members: MemberList;
  readonly #mark: ReadMark;
  readonly #others: ConversationList;
  #title: string;
  /** Messages after this are new to the reader; null once the divider has served. */
  #dividerSeq: number | null;
  #isFetching = false;
  #isOver = false;

  constructor(start: ConversationStart) {
    const { conversation, user } = start;
    this.#start = start;
    this.#title = document.title;
    this.#mark = new ReadMark(user.id, conversation.id);
    this.#dividerSeq = this.#mark.seq;
    this.#timeline = new Timeline(start.messages, start.seq, start.has_more);
    this.#members = new MemberList(required("[data-members]"), user.id);
    this.#scroller = new Scroller(required("[data-scroller]"), () => this.#moved());
    this.#unsent = new UnsentMessages({
      storage: localStorage,
      prefix: `commsite:unsent:${user.id}:${conversation.id}:`,
      push: (message) => this.#room.send(message),
      wait: (callback, ms) => window.setTimeout(callback, ms),
      changed: () => this.#draw(),
    });
    this.#composer = new Composer(
      required<HTMLFormElement>("[data-composer]"),
      `commsite:draft:${user.id}:${conversation.id}`,
      {
        send: (body, replyTo) => this.#send(body, replyTo),
        leave: () => keys.focusRow(),
      },
    );
    const keys = new TimelineKeys(this.#list, () => this.#composer.focus());
    this.#socket = new UserSocket("/socket", browserSurroundings);
    this.#lobby = new Lobby(this.#socket, () => this.#peopleChanged());
    this.#room = this.#openRoom();
    this.#lobby.tellAlsoOn(this.#room.channel);
    this.#others = new ConversationList(required("[data-conversations]"), user.id);
    this.#list.user = user;
    this.#list.heading = conversation.title;
    this.#list.find = (id) => this.#timeline.messages.find((message) => message.id === id);
  }

  /** Draws what the server rendered, then goes live. */
  open(): void {
    for (const message of this.#timeline.messages) this.#confirm(message);
    this.#draw();
    this.#listen();
    this.#socket.watch((link) => this.#linkChanged(link));
    this.#room.join();
    this.#lobby.join();
    this.#socket.open();
    this.#noteRead();
    this.#goToAnchor();
  }

  #openRoom(): Room {
    return new Room(this.#socket, this.#start.conversation.id, {
      lastSeq: () => this.#timeline.lastSeq,
      joined: (reply, isReset) => this.#joined(reply, isReset),
      left: () => this.#unsent.close(),
      refused: (reason) => this.#refused(reason),
      sent: (message) => this.#received(message),
      answered: (message) => {
        this.#timeline.applyReply(message);
        this.#draw();
      },
      peopleChanged: () => this.#peopleChanged(),
      membersChanged: (seq, event, member) => this.#membersChanged(seq, event, member),
      renamed: (seq, title) => {
        this.#timeline.sawSeq(seq);
        this.#rename(title);
      },
    });
  }

  #listen(): void {
    this.#list.addEventListener("message-action", (event) => {
      this.#act((event as CustomEvent<MessageAction>).detail);
    });
    this.#list.addEventListener("history", () => void this.#fetchHistory());
    this.#line.addEventListener("retry", () => this.#socket.retryNow());
    this.#jump.addEventListener("click", () => {
      this.#scroller.toEnd(true);
      this.#composer.focus();
    });
    document.addEventListener("visibilitychange", () => this.#visibilityChanged());
    window.addEventListener("focus", () => this.#noteRead());
    window.addEventListener("hashchange", () => this.#goToAnchor());
  }

  // --- What comes in ----------------------------------------------------------------------------

  #joined(
    reply: Pick<ConversationStart, "seq" | "members" | "conversation" | "messages">,
    isReset: boolean,
  ): void {
    if (isReset) this.#timeline.reset(reply.messages, reply.seq);
    for (const message of this.#timeline.messages) this.#confirm(message);
    if (reply.conversation !== undefined) this.#rename(reply.conversation.title);
    if (reply.members !== undefined) this.#members.replace(reply.members);
    this.#draw();
    this.#unsent.open();
    this.#lobby.tellAgain(this.#room.channel);
    this.#others.follow(this.#socket, this.#start.conversation.id);
    this.#moved();
  }

  #received(message: Message): void {
    const isNew = this.#timeline.applyFact(message);
    this.#confirm(message);
    if (!isNew) return;
    if (message.author.id !== this.#start.user.id) {
      this.#announcer.say(
        `${message.author.username}: ${message.body}`,
        (count) => `${count} new messages`,
      );
    }
    this.#others.said(this.#start.conversation.id, message);
    if (this.#isWatching()) this.#dividerSeq = message.seq;
    this.#draw();
    this.#noteRead();
  }

  #membersChanged(seq: number, event: string, member: Member): void {
    this.#timeline.sawSeq(seq);
    this.#members.apply(event, member);
    const verb = { member_added: "was added", member_removed: "has left" }[event];
    if (verb !== undefined) this.#announcer.say(`${member.username} ${verb}.`);
  }

  #peopleChanged(): void {
    const people = seenIn(this.#lobby.roster, this.#room.roster);
    this.#members.show(people);
    this.#list.people = people;
  }

  #rename(title: string): void {
    for (const place of document.querySelectorAll("[data-title]")) place.textContent = title;
    this.#list.heading = title;
    this.#title = `${title} · Commsite`;
    this.#showUnread();
  }

  #refused(reason: string): void {
    this.#isOver = true;
    this.#unsent.close();
    this.#composer.close(reason);
    this.#announcer.say(reason);
  }

  #linkChanged(link: Link): void {
    if (this.#line.link.state === "open" && link.state !== "open") {
      this.#line.lastSeenAt = new Date();
    }
    if (this.#line.link.state !== link.state) {
      const spoken = spokenLink(link);
      if (spoken !== "") this.#announcer.say(spoken);
    }
    this.#line.link = link;
    this.#list.isOnline = link.state === "open" || link.state === "connecting";
    required(".conversation").toggleAttribute("data-stale", !this.#list.isOnline);
    // The line may have outlived the browser's being off line: then nobody joins again.
    if (link.state !== "open") this.#unsent.close();
    else if (this.#room.isJoined) this.#unsent.open();
    if (link.state === "ended" && link.reason === "signed_out") {
      this.#isOver = true;
      this.#composer.close("You are signed out here.");
    }
  }

  // --- What goes out ----------------------------------------------------------------------------

  #send(body: string, replyTo: string | null): void {
    this.#dividerSeq = null;
    this.#unsent.add({
      client_id: `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(3)).join("")}`,
      body,
      reply_to: replyTo,
      created_at: new Date().toISOString(),
    });
    this.#scroller.toEnd();
  }

  #act({ verb, message }: MessageAction): void {
    switch (verb) {
      case "reply":
        if ("id" in message) this.#composer.answer(message.id, labelOf(message));
        break;
      case "copy":
        void this.#copy(message.body, "Text copied.");
        break;
      case "link":
        if ("seq" in message) {
          void this.#copy(
            new URL(`#message-${message.seq}`, window.location.href).href,
            "Link copied.",
          );
        }
        break;
      case "show":
        this.#show(message.reply_to ?? "");
        break;
      case "retry":
        this.#unsent.retry(message.client_id);
        break;
      case "discard":
        this.#composer.takeBack(this.#unsent.discard(message.client_id));
        break;
    }
  }

  async #copy(text: string, said: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    showToast(said);
  }

  async #fetchHistory(): Promise<void> {
    const first = this.#timeline.first;
    if (this.#isFetching || !this.#timeline.hasMore || first === undefined) return;
    // A rejoin asks again.
    if (this.#isOver || !this.#room.isJoined) return;
    this.#isFetching = true;
    this.#list.problem = "";
    try {
      const page = await this.#room.history(first.seq);
      this.#timeline.prepend(page.messages, page.has_more);
    } catch (error) {
      const detail = error instanceof Error ? error.message : "";
      this.#list.problem = `Older messages could not be read. ${detail}`;
    }
    this.#isFetching = false;
    this.#draw();
  }

  // --- What is shown ----------------------------------------------------------------------------

  #draw(): void {
    void this.#scroller.keepBelow(this.#list, () => {
      this.#list.hasMore = this.#timeline.hasMore;
      this.#list.rows = rowsOf(
        this.#timeline.messages,
        this.#unsent.messages,
        this.#start.user.id,
        this.#dividerSeq,
      );
    });
    this.#showUnread();
  }

  #moved(): void {
    if (this.#scroller.above < HISTORY_AHEAD_PX) void this.#fetchHistory();
    this.#noteRead();
  }

  /** Whether the reader sees messages as they come, so that none of them needs to be called new. */
  #isWatching(): boolean {
    const hasDivider = this.#list.rows.some(({ kind }) => kind === "new");
    return !document.hidden && this.#scroller.isAtEnd && !hasDivider;
  }

  #visibilityChanged(): void {
    if (document.hidden) this.#dividerSeq = this.#timeline.messages.at(-1)?.seq ?? null;
    else this.#noteRead();
    this.#draw();
  }

  #noteRead(): void {
    const newest = this.#timeline.messages.at(-1)?.seq ?? 0;
    if (!document.hidden && this.#scroller.isAtEnd) this.#mark.moveTo(newest);
    this.#showUnread();
  }

  #showUnread(): void {
    const seen = this.#mark.seq ?? this.#start.seq;
    const waiting = this.#timeline.messages.filter(
      ({ seq, author }) => seq > seen && author.id !== this.#start.user.id,
    ).length;
    showUnread(waiting, this.#title);
    this.#jump.hidden = this.#scroller.isAtEnd;
    required("[data-jump-label]").textContent =
      waiting === 0
        ? "Newest messages"
        : waiting === 1
          ? "1 new message"
          : `${waiting} new messages`;
  }

  #goToAnchor(): void {
    const { hash } = window.location;
    if (hash.startsWith("#message-")) void this.#list.updateComplete.then(() => reveal(hash));
  }

  #show(id: string): void {
    const found = this.#list.find(id);
    if (found !== undefined) reveal(`#message-${found.seq}`);
  }

  #confirm(message: Message): void {
    if (message.author.id === this.#start.user.id) this.#unsent.confirm(message.client_id);
  }
}

function reveal(selector: string): void {
  const row = document.querySelector<HTMLElement>(selector);
  if (row === null) return;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
  row.dataset.flash = "";
  row.addEventListener("animationend", () => delete row.dataset.flash, { once: true });
}

function labelOf(message: Message): string {
  return `${message.author.username}: ${message.body}`;
}

function required<T extends HTMLElement>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

foldDetails();
new ConversationPage(JSON.parse(required("#conversation-start").textContent ?? "")).open();
