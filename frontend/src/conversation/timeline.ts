import { applySelection, belongsTo, isShown, siblingsOf } from "./branches";
import { MainLine } from "./main_line";
import type { Message, ThreadRoot } from "./message";
import { withoutReaction, withReaction } from "./reactions";

/** A stretch of the conversation without a hole: what pages have brought of it. */
interface Stretch {
  low: number;
  /** Infinity where it reaches the present. */
  high: number;
  hasMoreBefore: boolean;
}

/** So many messages of the main line are held at most; where there are more, the furthest go. */
export const MOST_HELD = 12_000;
/** What stays of them then, so that this happens seldom. */
export const KEPT = 10_000;
/** So many of the newest stay, whatever part of the past is read: the way back is short. */
const NEWEST_KEPT = 100;

/**
 * The messages that the page holds, in `seq` order, each once, as the newest fact left them.
 *
 * `lastSeq` is what a rejoin asks to continue after. Only facts of the topic move it: they come in
 * order, while the reply to our own send may overtake somebody else's message. What is shown is one
 * stretch: the present, or a piece of the past that a link or a search led to.
 */
export class Timeline {
  readonly #byId = new Map<string, Message>();
  readonly #line = new MainLine();
  #present: Stretch;
  #past: Stretch | null = null;
  #shown: Message[] | null = null;
  #newest: Message[] | null = null;
  #lastSeq = 0;

  constructor(messages: readonly Message[], lastSeq: number, hasMore: boolean) {
    this.#lastSeq = lastSeq;
    this.#present = presentOf(messages, lastSeq, hasMore);
    for (const message of messages) this.#hold(message);
  }

  /** The last fact of the topic that this page has seen. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Whether there are older messages than those shown. */
  get hasMore(): boolean {
    return this.#view.hasMoreBefore;
  }

  /** Whether what is shown ends before the present. */
  get isPast(): boolean {
    return this.#past !== null;
  }

  /** The main line as it is shown, oldest first. The array is replaced, never changed. */
  get messages(): readonly Message[] {
    this.#shown ??= this.#between(this.#view);
    return this.#shown;
  }

  /** The newest messages, whether or not they are the ones shown. */
  get newest(): Message | undefined {
    return this.#presentMessages.at(-1);
  }

  /** How many of the newest messages come after `seq` and are not `ownId`'s. */
  countAfter(seq: number, ownId: number): number {
    const line = this.#presentMessages;
    let count = 0;
    for (let index = line.length - 1; index >= 0; index -= 1) {
      const message = line[index];
      if (message === undefined || message.seq <= seq) break;
      if (message.author.id !== ownId && message.deleted_at === null) count += 1;
    }
    return count;
  }

  /** The seq that the page before this one ends at. */
  get low(): number {
    return this.#view.low;
  }

  /** The seq that the page after this one starts from; only in the past. */
  get high(): number {
    return this.#view.high;
  }

  /** Any message held, shown or not. */
  get(id: string): Message | undefined {
    return this.#byId.get(id);
  }

  /** The replies of a thread that are held, oldest first. */
  thread(rootId: string): Message[] {
    return [...this.#byId.values()]
      .filter((message) => message.thread_id === rootId && isShown(message, this.#byId))
      .sort((one, other) => one.seq - other.seq);
  }

  /** A message and the alternatives to it that are held. */
  siblings({ id, branch_of }: Message): Message[] {
    return siblingsOf(this.#byId.values(), branch_of ?? id);
  }

  /** Takes a new message told by the topic; says whether it is new to the page. */
  applyFact(message: Message, root?: ThreadRoot | null): boolean {
    this.sawSeq(message.seq);
    if (root) this.#change(root.id, root);
    return this.#add(message);
  }

  /** Takes the server's answer to a command: it may be ahead of facts still on their way. */
  applyReply(message: Message): boolean {
    return this.#byId.has(message.id) ? this.applyChanged(message) : this.#add(message);
  }

  /** Takes a message that has been edited, deleted or completed; one that is not held stays so. */
  applyChanged(message: Message): boolean {
    const held = this.#byId.get(message.id);
    if (held === undefined || held.revision > message.revision) return false;
    this.#hold(message);
    return true;
  }

  /** Puts an emoji on a message or takes it away. */
  applyReaction(messageId: string, emoji: string, userId: number, isAdded: boolean): void {
    const held = this.#byId.get(messageId);
    if (held === undefined) return;
    const change = isAdded ? withReaction : withoutReaction;
    this.#change(messageId, { reactions: change(held.reactions, emoji, userId) });
  }

  /** Changes some fields of a message that is held. */
  change(messageId: string, fields: Partial<Message>): void {
    this.#change(messageId, fields);
  }

  /** Shows another of the alternatives at one place. */
  applySelection(branchOf: string, messageId: string): void {
    for (const message of applySelection(this.#byId.values(), branchOf, messageId)) {
      this.#hold(message);
    }
  }

  /** Notes that the topic has reached `seq`, whatever the fact was. */
  sawSeq(seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq);
  }

  /** Takes older messages from a history page. */
  prepend(messages: readonly Message[], hasMore: boolean): void {
    for (const message of messages) this.#hold(message);
    const view = this.#view;
    view.low = Math.min(view.low, messages[0]?.seq ?? view.low);
    view.hasMoreBefore = hasMore;
    this.#shown = null;
    if (this.messages.length > MOST_HELD) this.#forgetNewer();
  }

  /** Takes newer messages while the past is shown; the past ends where it meets the present. */
  append(messages: readonly Message[], hasMore: boolean): void {
    for (const message of messages) this.#hold(message);
    if (this.#past === null) return;
    this.#past.high = Math.max(this.#past.high, messages.at(-1)?.seq ?? this.#past.high);
    if (!hasMore || this.#past.high >= this.#present.low) {
      this.#present = { ...this.#past, high: Number.POSITIVE_INFINITY };
      this.#past = null;
    }
    this.#shown = null;
    this.#newest = null;
    this.trim();
  }

  /** Lets go of the oldest when there are too many; for a reader who is not among them. */
  trim(): void {
    if (this.messages.length <= MOST_HELD) return;
    const view = this.#view;
    const low = this.messages.at(-KEPT)?.seq ?? view.low;
    this.#drop(view.low, low - 1);
    view.low = low;
    view.hasMoreBefore = true;
  }

  /** Holds messages that are no page of the main line: a thread, pins, what a search found. */
  hold(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#byId.has(message.id)) this.applyChanged(message);
      else this.#hold(message);
    }
  }

  /** Shows a piece of the past; where it touches the present it simply becomes part of it. */
  showPast(messages: readonly Message[], hasMoreBefore: boolean, hasMoreAfter: boolean): void {
    for (const message of messages) this.#hold(message);
    const low = messages[0]?.seq ?? this.#present.low;
    this.#past = { low, high: messages.at(-1)?.seq ?? low, hasMoreBefore };
    this.append([], hasMoreAfter);
  }

  /** Back to the newest messages. */
  showPresent(): void {
    this.#past = null;
    this.#shown = null;
    this.#newest = null;
  }

  /** Starts afresh when the server cannot say what was missed. */
  reset(messages: readonly Message[], lastSeq: number): void {
    this.#byId.clear();
    this.#line.clear();
    this.#shown = null;
    this.#newest = null;
    this.#past = null;
    this.#lastSeq = lastSeq;
    for (const message of messages) this.#hold(message);
    this.#present = presentOf(messages, lastSeq, (messages[0]?.seq ?? 1) > 1);
  }

  get #view(): Stretch {
    return this.#past ?? this.#present;
  }

  get #presentMessages(): readonly Message[] {
    if (this.#past === null) return this.messages;
    this.#newest ??= this.#between(this.#present);
    return this.#newest;
  }

  #between({ low, high }: Stretch): Message[] {
    return this.#line.between(low, high, this.#byId);
  }

  /** A reader who has gone far back leaves the present behind: what is between is read again. */
  #forgetNewer(): void {
    const view = this.#view;
    const high = this.messages[KEPT - 1]?.seq ?? view.high;
    if (this.#past === null) {
      const low = Math.max(high + 1, this.messages.at(-NEWEST_KEPT)?.seq ?? 0);
      this.#past = { ...view, high };
      this.#present = { low, high: Number.POSITIVE_INFINITY, hasMoreBefore: true };
      this.#drop(high + 1, low - 1);
    } else {
      this.#drop(high + 1, Math.min(view.high, this.#present.low - 1));
      view.high = high;
    }
  }

  #drop(low: number, high: number): void {
    for (const { id } of this.#line.drop(low, high)) this.#byId.delete(id);
    this.#shown = null;
    this.#newest = null;
  }

  #add(message: Message): boolean {
    if (this.#byId.has(message.id)) return false;
    this.#hold(message);
    for (const sibling of belongsTo(this.#byId.values(), message)) this.#hold(sibling);
    return true;
  }

  #change(id: string, fields: Partial<Message>): void {
    const held = this.#byId.get(id);
    if (held !== undefined) this.#hold({ ...held, ...fields });
  }

  #hold(message: Message): void {
    this.#byId.set(message.id, message);
    this.#line.put(message);
    this.#shown = null;
    this.#newest = null;
  }
}

function presentOf(messages: readonly Message[], lastSeq: number, hasMore: boolean): Stretch {
  const low = messages[0]?.seq ?? lastSeq + 1;
  return { low, high: Number.POSITIVE_INFINITY, hasMoreBefore: hasMore };
}
