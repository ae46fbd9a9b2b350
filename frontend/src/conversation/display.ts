import type { People } from "../presence/attendance";
import { type Row, rowsOf } from "./grouping";
import type { Message, UnsentMessage } from "./message";
import type { Editing } from "./message_view";
import { required } from "./required";
import type { LiveRun } from "./runs";
import type { Scroller } from "./scroller";
import type { ConversationState } from "./state";
import type { StatusLine } from "./status_line";
import type { ConversationTimeline, RowsView } from "./timeline_element";
import { showUnread } from "./unread";
import type { UnsentMessages } from "./unsent";

/** What the display shows beside the state of the conversation. */
export interface DisplayPage {
  state: ConversationState;
  list: ConversationTimeline;
  scroller: Scroller;
  status: StatusLine;
  unsent: () => UnsentMessages;
  people: () => People | null;
  isOnline: () => boolean;
  editing: () => Editing | null;
  readSeq: () => number;
  /** The rest of the page is to be drawn too. */
  drawn: () => void;
}

/** What the rows of the list were made of. */
interface DrawnRows {
  messages: readonly Message[];
  unsent: readonly UnsentMessage[];
  dividerSeq: number | null;
  rows: Row[];
}

const NOTHING: readonly UnsentMessage[] = [];

/** Brings the state of the conversation onto the page, once for all that happens in one turn. */
export class Display {
  readonly #page: DisplayPage;
  readonly #jump = required<HTMLButtonElement>("[data-jump]");
  readonly #jumpLabel = required("[data-jump-label]");
  readonly #pins = required("[data-pins]");
  /** Messages after this are new to the reader; null once the divider has served. */
  dividerSeq: number | null;
  /** The title of the window without numbers. */
  title = document.title;
  #isAsked = false;
  #drawn: DrawnRows | null = null;

  constructor(page: DisplayPage, dividerSeq: number | null) {
    this.#page = page;
    this.dividerSeq = dividerSeq;
  }

  /** Draws at the end of this turn. */
  draw(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    queueMicrotask(() => this.drawNow());
  }

  /** Draws at once. */
  drawNow(): void {
    this.#isAsked = false;
    const { state, list, scroller } = this.#page;
    const { timeline } = state;
    if (scroller.isAtEnd && !timeline.isPast) timeline.trim();
    scroller.isPresent = !timeline.isPast;
    list.hasMore = timeline.hasMore;
    list.hasMoreAfter = timeline.isPast;
    list.heading = state.heading.title;
    list.view = this.view();
    list.rows = this.#rows();
    this.showStatus();
    this.showUnread();
    this.#page.drawn();
  }

  /** The rows of the list: the same ones as long as nothing was said, sent or changed. */
  #rows(): Row[] {
    const { timeline, user } = this.#page.state;
    const { messages } = timeline;
    const unsent = timeline.isPast ? NOTHING : this.#page.unsent().messages;
    const drawn = this.#drawn;
    const isSame = drawn?.messages === messages && drawn.unsent === unsent;
    if (isSame && drawn.dividerSeq === this.dividerSeq) return drawn.rows;
    const waiting = unsent.filter(({ thread_id }) => thread_id === null);
    const rows = rowsOf(messages, waiting, user.id, this.dividerSeq);
    this.#drawn = { messages, unsent, dividerSeq: this.dividerSeq, rows };
    return rows;
  }

  /** What rows need to know. */
  view(): RowsView {
    const { state } = this.#page;
    const { receipts, timeline, user } = state;
    const counted = this.#counted();
    return {
      user,
      isOnline: this.#page.isOnline(),
      hasThreads: true,
      people: this.#page.people(),
      editing: this.#page.editing(),
      faces: receipts.facesAt(timeline.messages, user.id),
      crowdAt: (message) => (counted.has(message) ? receipts.seenCount(message) : null),
      find: (id) => timeline.get(id),
      nameOf: (id) => state.nameOf(id),
      newIn: (threadId) => state.newIn(threadId),
      mayDirect: (run) => state.mayDirect(run),
      runOf: (message) => state.runOf(message),
    };
  }

  /** Of a crowd's marks the two that people look for: how far the newest has got, and one's own. */
  #counted(): Set<Message | undefined> {
    const { receipts, timeline, user } = this.#page.state;
    if (!receipts.isCrowd) return new Set();
    const own = timeline.messages.findLast(({ author }) => author.id === user.id);
    return new Set([timeline.newest, own]);
  }

  /** The reader has moved. */
  moved(): void {
    this.showStatus();
    this.showUnread();
  }

  /** What happens now, and how much is pinned. */
  showStatus(): void {
    const { state, status } = this.#page;
    const typing = state.typing.filter(
      ({ user, thread_id }) => user.id !== state.user.id && thread_id === null,
    );
    const runs = state.runs.active.filter((run) => !this.#isInView(run));
    status.show(
      runs.map((run) => ({ ...run, isMine: state.mayDirect(run) })),
      typing.map(({ user }) => user),
    );
    const { length } = state.pins;
    this.#pins.hidden = length === 0;
    required("[data-pin-count]").textContent = String(length);
  }

  /** Whether the end of an answer, with its way to stop it, is before the reader's eyes. */
  #isInView({ id }: LiveRun): boolean {
    const { list, scroller } = this.#page;
    const end = list.querySelector(`[data-running="${id}"]`);
    if (end === null) return false;
    const { bottom } = end.getBoundingClientRect();
    return bottom > 0 && bottom < scroller.bottom;
  }

  /** How much is unread, in the title and at the way to the end. */
  showUnread(): void {
    const { state, scroller } = this.#page;
    const waiting = state.timeline.countAfter(this.#page.readSeq(), state.user.id);
    showUnread(waiting, this.title);
    this.#jump.hidden = scroller.isAtEnd && !state.timeline.isPast;
    const label = waiting === 1 ? "1 new message" : `${waiting} new messages`;
    const words = waiting === 0 ? "Newest messages" : label;
    if (this.#jumpLabel.textContent !== words) this.#jumpLabel.textContent = words;
  }

  /** Whether the reader sees messages as they come, so that none of them needs to be called new. */
  get isWatching(): boolean {
    const { list, scroller, state } = this.#page;
    const hasDivider = list.rows.some(({ kind }) => kind === "new");
    return !document.hidden && scroller.isAtEnd && !state.timeline.isPast && !hasDivider;
  }

  /** The first message that the reader has not seen. */
  get firstUnread(): Message | undefined {
    const { timeline, user } = this.#page.state;
    const after = this.dividerSeq ?? this.#page.readSeq();
    return timeline.messages.find(({ seq, author }) => seq > after && author.id !== user.id);
  }
}
