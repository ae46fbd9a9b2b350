import { Announcer } from "../announcer";
import { seenIn } from "../presence/attendance";
import { Lobby } from "../presence/lobby";
import type { Link } from "../realtime/link";
import { browserSurroundings } from "../realtime/session";
import { UserSocket } from "../realtime/user_socket";
import { AssistantSettings } from "./assistant_settings";
import { isCommand } from "./candidates";
import type { Composer, Written } from "./composer";
import { copyText, Deeds, newClientId } from "./deeds";
import { confirmDelete } from "./delete_dialog";
import { foldDetails } from "./details";
import { Display } from "./display";
import { keyOf } from "./grouping";
import { TimelineKeys } from "./keys";
import { LineWatch } from "./line_watch";
import { ConversationList } from "./list";
import { serveCodeButtons, setReader } from "./markup";
import { MemberList } from "./members";
import type { ConversationStart, Message, Run, Unread } from "./message";
import { shortBody } from "./message_parts";
import { MessagePopovers } from "./message_popovers";
import type { MessageAction } from "./message_view";
import { Panels } from "./panels";
import { Past } from "./past";
import { Reading } from "./reading";
import { required } from "./required";
import { type JoinReply, Room } from "./room";
import { isActive, type LiveRun } from "./runs";
import { Scroller } from "./scroller";
import { ConversationState, type Meaning } from "./state";
import { keepElapsed, StatusLine } from "./status_line";
import type { ConversationTimeline } from "./timeline_element";
import { browserTimers, seldom } from "./timers";
import { composerOn } from "./writing";
import "./timeline_element";
import { UnsentMessages } from "./unsent";

/** The conversation page: joins the parts that each know one thing. */
class ConversationPage {
  readonly #start: ConversationStart;
  readonly #socket = new UserSocket("/socket", browserSurroundings);
  readonly #state: ConversationState;
  readonly #unsent: UnsentMessages;
  readonly #room: Room;
  readonly #lobby: Lobby;
  readonly #list = required<ConversationTimeline>("conversation-timeline");
  readonly #announcer = new Announcer(required("#announcements"));
  readonly #scroller: Scroller;
  readonly #composer: Composer;
  readonly #members: MemberList;
  readonly #others: ConversationList;
  readonly #deeds: Deeds;
  readonly #panels: Panels;
  readonly #past: Past;
  readonly #reading: Reading;
  readonly #keys: TimelineKeys;
  readonly #popovers: MessagePopovers;
  readonly #assistant: AssistantSettings;
  readonly #display: Display;
  readonly #line: LineWatch;
  readonly #afterMoving: () => void;
  #isOver = false;

  constructor(start: ConversationStart) {
    const { conversation, user } = start;
    this.#start = start;
    setReader(user.id);
    this.#state = new ConversationState(start, {
      fetchRun: async (id) => (await this.#room.ask<{ run: Run }>("fetch_run", { run_id: id })).run,
      changed: (run, isText) => this.#runChanged(run, isText),
    });
    this.#members = new MemberList(required("[data-members]"), user.id);
    this.#afterMoving = seldom(() => {
      this.#reading.look();
      this.#display.moved();
    });
    this.#scroller = new Scroller(required("[data-scroller]"), () => this.#moved());
    this.#lobby = new Lobby(this.#socket, () => this.#peopleChanged());
    this.#room = this.#openRoom();
    this.#unsent = new UnsentMessages({
      storage: localStorage,
      prefix: `commsite:unsent:${user.id}:${conversation.id}:`,
      push: (message) => this.#room.send(message),
      ...browserTimers,
      changed: () => this.#draw(),
    });
    this.#reading = this.#openReading();
    this.#popovers = new MessagePopovers(this.#state, (action) => this.#deeds.act(action));
    this.#assistant = new AssistantSettings(this.#room);
    this.#deeds = this.#openDeeds();
    this.#panels = this.#openPanels();
    this.#line = new LineWatch(this.#announcer, (link) => this.#linkChanged(link));
    this.#display = this.#openDisplay();
    this.#past = new Past(this.#state, this.#room, this.#list, this.#scroller, () => this.#draw());
    this.#composer = this.#compose(required<HTMLFormElement>("[data-composer]"), null);
    this.#keys = new TimelineKeys(this.#list, {
      write: () => this.#composer.focus(),
      search: () => void this.#panels.openSearch(),
      toUnread: () => this.#toUnread(),
      toStart: () => void this.#past.toStart(),
      toEnd: () => this.#past.toEnd(false),
      may: (verb, message) => this.#popovers.may(verb, message),
    });
    this.#lobby.tellAlsoOn(this.#room.channel);
    this.#others = new ConversationList(required("[data-conversations]"), user.id);
    this.#list.scroller = this.#scroller;
  }

  /** Draws what the server rendered, then goes live. */
  open(): void {
    this.#confirm(this.#state.timeline.messages);
    this.#state.runs.replace(this.#start.runs ?? []);
    this.#draw();
    this.#listen();
    this.#line.follow(this.#socket, this.#room);
    this.#room.join();
    this.#lobby.join();
    this.#socket.open();
    keepElapsed();
    void this.#past.goToAnchor();
  }

  // --- The parts --------------------------------------------------------------------------------

  #openRoom(): Room {
    return new Room(this.#socket, this.#start.conversation.id, {
      lastSeq: () => this.#state.timeline.lastSeq,
      joined: (reply) => this.#joined(reply),
      left: () => this.#unsent.close(),
      refused: (reason) => this.#refused(reason),
      told: (event, payload) => this.#told(event, this.#state.apply(event, payload)),
      answered: (message) => {
        this.#state.answered(message);
        this.#draw();
      },
      peopleChanged: () => this.#peopleChanged(),
    });
  }

  #openReading(): Reading {
    return new Reading(this.#start.unread?.read_seq ?? 0, {
      seenSeq: () => (document.hidden || this.#isOver ? null : this.#past.seenSeq),
      push: (event, seq) => {
        this.#room.tell(event, { seq }, () => this.#reading.again());
        this.#display.showUnread();
      },
      ...browserTimers,
    });
  }

  #openDeeds(): Deeds {
    const popovers = this.#popovers;
    return new Deeds({
      state: this.#state,
      room: this.#room,
      unsent: this.#unsent,
      draw: () => this.#draw(),
      answer: (message) => this.#answer(message),
      takeBack: (text, files, threadId) => {
        const inThread = threadId !== null && threadId === this.#panels.threadId;
        const composer = inThread ? this.#panels.threadComposer : this.#composer;
        composer?.takeBack(text, files);
      },
      openThread: (id) => void this.#panels.openThread(id),
      openMenu: (action) => popovers.menu(action),
      openPicker: (action) => void popovers.emoji(action),
      openReaders: (action) => popovers.readers(action),
      confirmDelete,
      show: (id) => void this.#past.show(id),
      reveal: (message) => void this.#list.reveal(keyOf(message)),
      leaveEdit: () => this.#composer.focus(),
    });
  }

  #openDisplay(): Display {
    return new Display(
      {
        state: this.#state,
        list: this.#list,
        scroller: this.#scroller,
        status: new StatusLine(required("[data-status-line]"), required("#typing-spoken"), {
          stop: (run) => void this.#deeds.stop(run),
          show: (run) => void this.#past.show(run.message_id),
        }),
        unsent: () => this.#unsent,
        people: () => seenIn(this.#lobby.roster, this.#room.roster),
        isOnline: () => this.#line.isOnline,
        editing: () => this.#deeds.editing,
        readSeq: () => this.#reading.readSeq,
        drawn: () => this.#panels.draw(),
      },
      this.#start.unread?.read_seq ?? null,
    );
  }

  #openPanels(): Panels {
    return new Panels(required("#side-panel"), {
      state: this.#state,
      room: this.#room,
      view: () => this.#display.view(),
      unsentIn: (id) => this.#unsent.messages.filter(({ thread_id }) => thread_id === id),
      compose: (form, threadId) => this.#compose(form, threadId),
      act: (action) => this.#deeds.act(action),
      goTo: (message) => this.#past.show(message.thread_id ?? message.id, message.seq),
      place: this.#list,
    });
  }

  #compose(form: HTMLFormElement, threadId: string | null): Composer {
    return composerOn(form, threadId, {
      state: this.#state,
      room: this.#room,
      send: (written) => this.#send(written, threadId),
      leave: () => (threadId === null ? this.#keys.focusRow() : this.#panels.close()),
      editLast: () => {
        const { timeline } = this.#state;
        const line = threadId === null ? timeline.messages : timeline.thread(threadId);
        return this.#deeds.editLast(line);
      },
    });
  }

  #listen(): void {
    this.#list.addEventListener("message-action", (event) => {
      this.#deeds.act((event as CustomEvent<MessageAction>).detail);
    });
    this.#list.addEventListener("history", () => void this.#past.fetchBefore());
    required("[data-jump]").addEventListener("click", () => this.#toEnd());
    serveCodeButtons(required(".conversation"), (text) => void copyText(text, "Code copied."));
    required("[data-search]").addEventListener("click", () => void this.#panels.openSearch());
    required("[data-pins]").addEventListener("click", () => void this.#panels.openPins());
    document.addEventListener("visibilitychange", () => this.#visibilityChanged());
    window.addEventListener("focus", () => this.#reading.look());
    window.addEventListener("hashchange", () => void this.#past.goToAnchor());
    document.addEventListener("unread-changed", (event) => {
      const unread = (event as CustomEvent<Unread>).detail;
      if (unread.conversation_id !== this.#start.conversation.id) return;
      this.#state.unread = unread;
      this.#reading.moveTo(unread.read_seq);
      this.#draw();
    });
  }

  // --- What comes in ----------------------------------------------------------------------------

  #joined(reply: JoinReply): void {
    this.#state.join(reply);
    this.#confirm(this.#state.timeline.messages);
    this.#headingChanged();
    if (reply.members !== undefined) this.#members.replace(reply.members);
    this.#draw();
    this.#unsent.open();
    this.#lobby.tellAgain(this.#room.channel);
    this.#others.follow(this.#socket, this.#start.conversation.id);
    this.#reading.moveTo(this.#state.unread?.read_seq ?? 0);
    this.#reading.again();
    this.#reading.arrived(reply.seq);
    this.#panels.again(reply.reset);
    this.#moved();
  }

  #told(event: string, meaning: Meaning): void {
    switch (meaning.kind) {
      case "said":
        this.#received(meaning.message);
        break;
      case "members": {
        this.#members.apply(event, meaning.member);
        const verb = { member_added: "was added", member_removed: "has left" }[event];
        if (verb !== undefined) this.#announcer.say(`${meaning.member.username} ${verb}.`);
        break;
      }
      case "heading":
        this.#headingChanged();
        break;
      case "changed":
        this.#others.changed(this.#start.conversation.id, meaning.message);
    }
    if (meaning.kind === "typing") this.#display.showStatus();
    else if (meaning.kind !== "nothing") this.#draw();
  }

  #received(message: Message): void {
    this.#confirm([message]);
    this.#reading.arrived(message.seq);
    this.#others.said(this.#start.conversation.id, message);
    if (message.author.id !== this.#state.user.id && message.thread_id === null) {
      const words = shortBody(message);
      if (words !== "") this.#announcer.say(`${message.author.username}: ${words}`, newMessages);
      if (this.#display.isWatching) this.#display.dividerSeq = message.seq;
    }
    this.#reading.look();
  }

  #runChanged(run: LiveRun, isText: boolean): void {
    if (isText) {
      const seen = this.#state.seen(run);
      this.#list.streamed(seen);
      this.#panels.streamed(seen);
      return;
    }
    if (!isActive(run)) this.#announcer.say("The assistant has answered.");
    this.#draw();
  }

  #peopleChanged(): void {
    this.#members.show(seenIn(this.#lobby.roster, this.#room.roster));
    this.#draw();
  }

  #headingChanged(): void {
    const { title } = this.#state.heading;
    for (const place of document.querySelectorAll("[data-title]")) place.textContent = title;
    this.#display.title = `${title} · Commsite`;
    this.#assistant.show(this.#state.heading);
    this.#display.showUnread();
  }

  #refused(reason: string): void {
    this.#isOver = true;
    this.#composer.close(reason);
    this.#line.close(reason);
  }

  #linkChanged(link: Link): void {
    // The line may have outlived the browser's being off line: then nobody joins again.
    if (link.state !== "open") this.#unsent.close();
    else if (this.#room.isJoined) this.#unsent.open();
    if (link.state === "ended" && link.reason === "signed_out") {
      this.#isOver = true;
      this.#composer.close("You are signed out here.");
    }
    this.#draw();
  }

  // --- What goes out ----------------------------------------------------------------------------

  #send({ body, replyTo, attachments }: Written, threadId: string | null): void {
    if (threadId === null) this.#display.dividerSeq = null;
    this.#unsent.add({
      client_id: newClientId(),
      body,
      reply_to: replyTo,
      thread_id: threadId,
      attachments,
      is_command:
        threadId === null && attachments.length === 0 && isCommand(body, this.#state.heading),
      created_at: new Date().toISOString(),
    });
    if (threadId === null) void this.#past.toEnd(false);
  }

  #answer(message: Message): void {
    const label = `${message.author.username}: ${shortBody(message)}`;
    const isInThread = message.thread_id !== null && message.thread_id === this.#panels.threadId;
    (isInThread ? this.#panels.threadComposer : this.#composer)?.answer(message.id, label);
  }

  // --- What is shown ----------------------------------------------------------------------------

  #draw(): void {
    this.#display.draw();
  }

  #moved(): void {
    this.#list.moved();
    void this.#past.moved();
    this.#afterMoving();
  }

  #visibilityChanged(): void {
    if (document.hidden) this.#display.dividerSeq = this.#state.timeline.newest?.seq ?? null;
    else this.#reading.look();
    this.#draw();
  }

  #toEnd(): void {
    void this.#past.toEnd(true);
    this.#composer.focus();
  }

  #toUnread(): void {
    const first = this.#display.firstUnread;
    if (first === undefined) this.#toEnd();
    else void this.#past.reveal(keyOf(first));
  }

  #confirm(messages: readonly Message[]): void {
    const own = messages.filter(({ author }) => author.id === this.#state.user.id);
    for (const { client_id } of own) this.#unsent.confirm(client_id);
  }
}

const newMessages = (count: number): string => `${count} new messages`;

foldDetails();
new ConversationPage(JSON.parse(required("#conversation-start").textContent ?? "")).open();
