import { keyOf } from "./grouping";
import type { Message } from "./message";
import { Refusal, type Room } from "./room";
import type { Scroller } from "./scroller";
import type { ConversationState } from "./state";
import type { ConversationTimeline } from "./timeline_element";

const HISTORY_AHEAD_PX = 600;
/** So many older messages at a time. */
const OLDER = 100;

/** Brings what is not here yet: older pages, a message that a link or a search names, the way back. */
export class Past {
  readonly #state: ConversationState;
  readonly #room: Room;
  readonly #list: ConversationTimeline;
  readonly #scroller: Scroller;
  readonly #draw: () => void;
  #isFetching = false;
  #current: Promise<boolean> = Promise.resolve(true);

  constructor(
    state: ConversationState,
    room: Room,
    list: ConversationTimeline,
    scroller: Scroller,
    draw: () => void,
  ) {
    this.#state = state;
    this.#room = room;
    this.#list = list;
    this.#scroller = scroller;
    this.#draw = draw;
  }

  /** The newest seq in view; what lies below the edge has not been seen. */
  get seenSeq(): number | null {
    const { timeline } = this.#state;
    if (this.#scroller.isAtEnd && !timeline.isPast) return timeline.newest?.seq ?? null;
    const edge = this.#scroller.bottom;
    const rows = [...this.#list.querySelectorAll<HTMLElement>(".message[data-seq]")];
    const last = rows.findLast((row) => row.getBoundingClientRect().bottom <= edge);
    return last === undefined ? null : Number(last.dataset.seq);
  }

  /** The reader has moved: fetches before they get to the end of what is here. */
  async moved(): Promise<void> {
    if (this.#scroller.above < HISTORY_AHEAD_PX) await this.fetchBefore();
    if (this.#state.timeline.isPast && this.#scroller.scrolled < HISTORY_AHEAD_PX) {
      await this.#fetchAfter();
    }
  }

  /** Reads the page before the first message shown. */
  async fetchBefore(): Promise<void> {
    const { timeline } = this.#state;
    if (!timeline.hasMore) return;
    await this.#fetching(async () => {
      const page = await this.#room.history({ before_seq: timeline.low, limit: OLDER });
      this.#note(page.messages);
      timeline.prepend(page.messages, page.has_more_before);
    });
  }

  async #fetchAfter(): Promise<void> {
    const { timeline } = this.#state;
    await this.#fetching(async () => {
      const page = await this.#room.history({ after_seq: timeline.high });
      this.#note(page.messages);
      timeline.append(page.messages, page.has_more_after);
    });
  }

  /** Goes to a message, whether it is here or not. */
  async show(id: string, seq?: number): Promise<void> {
    const { timeline } = this.#state;
    const held = timeline.get(id);
    const isShown = held !== undefined && timeline.messages.includes(held);
    if (held !== undefined && isShown) await this.reveal(keyOf(held));
    else if (held !== undefined || seq !== undefined) await this.#jump(held?.seq ?? seq ?? 0);
  }

  /** Back to the newest message. */
  async toEnd(isSmooth: boolean): Promise<void> {
    const { timeline } = this.#state;
    const wasPast = timeline.isPast;
    if (wasPast) {
      timeline.showPresent();
      await this.#drawn();
    }
    this.#scroller.toEnd(isSmooth && !wasPast);
  }

  /** Goes to the very first message, and gives it the focus. */
  async toStart(): Promise<void> {
    const { timeline } = this.#state;
    const first = timeline.messages[0];
    if (timeline.hasMore) await this.#jump(1);
    else if (first !== undefined) await this.reveal(keyOf(first));
  }

  /** Goes to the message that the address names. */
  async goToAnchor(): Promise<void> {
    const seq = /^#message-(\d+)$/u.exec(window.location.hash)?.[1];
    if (seq !== undefined) await this.#showSeq(Number(seq));
  }

  async #showSeq(seq: number): Promise<void> {
    const held = this.#state.timeline.messages.find((message) => message.seq === seq);
    if (held !== undefined) await this.reveal(keyOf(held));
    else await this.#jump(seq);
  }

  /** Brings a row that is shown into view and gives it the focus. */
  async reveal(key: string): Promise<void> {
    await this.#list.updateComplete;
    const row = await this.#list.reveal(key);
    if (row === null) return;
    row.focus({ preventScroll: true });
    row.dataset.flash = "";
    row.addEventListener("animationend", () => delete row.dataset.flash, { once: true });
  }

  async #jump(seq: number): Promise<void> {
    const { timeline } = this.#state;
    await this.#room.whenJoined();
    await this.#current;
    const isThere = await this.#fetching(async () => {
      const page = await this.#room.history({ around_seq: seq });
      this.#note(page.messages);
      timeline.showPast(page.messages, page.has_more_before, page.has_more_after);
    });
    if (!isThere) return;
    const { messages } = timeline;
    const found = messages.findLast((message) => message.seq <= seq) ?? messages[0];
    if (found !== undefined) await this.reveal(keyOf(found));
  }

  #note(messages: readonly Message[]): void {
    for (const message of messages) this.#state.noteRun(message);
  }

  /** One fetch at a time; a problem stands where the messages would. Says whether it went well. */
  #fetching(fetch: () => Promise<void>): Promise<boolean> {
    // A rejoin asks again.
    if (this.#isFetching || !this.#room.isJoined) return Promise.resolve(false);
    this.#isFetching = true;
    this.#current = this.#fetch(fetch);
    return this.#current;
  }

  async #fetch(fetch: () => Promise<void>): Promise<boolean> {
    this.#list.problem = "";
    let isDone = false;
    try {
      await fetch();
      isDone = true;
    } catch (error) {
      if (error instanceof Refusal && error.retryAfterMs !== null) {
        window.setTimeout(() => void this.moved(), error.retryAfterMs);
        this.#isFetching = false;
        return false;
      }
      const detail = error instanceof Error ? error.message : "";
      this.#list.problem = `Older messages could not be read. ${detail}`;
    }
    this.#isFetching = false;
    await this.#drawn();
    return isDone;
  }

  /** The page is drawn at the end of a turn: whoever goes on must find it there. */
  async #drawn(): Promise<void> {
    this.#draw();
    await Promise.resolve();
    await this.#list.updateComplete;
  }
}
