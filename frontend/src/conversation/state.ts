import type {
  ConversationStart,
  Heading,
  Member,
  Message,
  Person,
  Receipt,
  ReceiptCounts,
  Retracted,
  Run,
  ThreadRoot,
  Unread,
} from "./message";
import { withoutDeleted } from "./quotes";
import { Receipts } from "./receipts";
import type { JoinReply } from "./room";
import { isActive, type LiveRun, type RunEvent, type RunSurroundings, Runs } from "./runs";
import { Timeline } from "./timeline";

/** What a fact meant for the page, beyond that it is to be drawn again. */
export type Meaning =
  | { kind: "changed"; message?: Message }
  | { kind: "heading" }
  | { kind: "members"; event: string; member: Member }
  | { kind: "nothing" }
  | { kind: "said"; message: Message }
  | { kind: "typing" };

type Payload = Record<string, unknown>;

/**
 * Everything that a page knows of its conversation, moved by the facts of the topic alone.
 *
 * No fact is applied by the page that caused it before the topic tells it: so all pages of all
 * people come to the same, in the same order.
 */
export class ConversationState {
  readonly user: Person;
  readonly timeline: Timeline;
  readonly runs: Runs;
  readonly receipts = new Receipts();
  readonly members = new Map<number, Member>();
  heading: Heading;
  /** Who types, and where. */
  typing: readonly Typing[] = [];
  /** What the reader has not read; null while nobody has said. */
  unread: Unread | null = null;
  #pins: string[] = [];
  /** The seqs of messages that were deleted while this page looked on. */
  readonly #deleted = new Set<number>();
  readonly #names = new Map<number, string>();

  constructor(start: ConversationStart, around: RunSurroundings) {
    this.user = start.user;
    this.heading = start.conversation;
    this.timeline = new Timeline(start.messages, start.seq, start.has_more);
    this.runs = new Runs(around);
    this.#know(start as JoinReply);
  }

  /** Takes what a join gives beside the facts that follow it. */
  join(reply: JoinReply): void {
    if (reply.reset) this.timeline.reset(reply.messages, reply.seq);
    this.#know(reply);
    if (reply.runs !== undefined) this.runs.replace(reply.runs);
  }

  /** The ids of pinned messages, the latest pin first. */
  get pins(): readonly string[] {
    return this.#pins;
  }

  /** How many replies of a thread are new to the reader. */
  newIn(threadId: string): number {
    return this.unread?.threads.find(({ thread_id }) => thread_id === threadId)?.unread ?? 0;
  }

  /** Whether the reader owns the conversation. */
  get isOwner(): boolean {
    return this.members.get(this.user.id)?.role === "owner";
  }

  /** Whether the reader may stop a run and answer for it: whoever asked, and owners. */
  mayDirect({ started_by }: Pick<Run, "started_by">): boolean {
    return this.isOwner || started_by?.id === this.user.id;
  }

  nameOf(userId: number): string {
    return this.#names.get(userId) ?? "somebody";
  }

  /** How a message came about: the live run while there is one, else what the message says. */
  runOf(message: Message): LiveRun | Run | null {
    if (message.role !== "assistant") return null;
    const live = this.runs.ofMessage(message.id);
    return live === undefined ? message.run : this.seen(live);
  }

  /** A live run as it may be shown: without what was deleted since it was said. */
  seen(run: LiveRun): LiveRun {
    return withoutDeleted(run, this.#deleted);
  }

  /** Takes one event of the topic. */
  apply(event: string, payload: Payload): Meaning {
    if (typeof payload.seq === "number" && event !== "run_event") {
      this.timeline.sawSeq(payload.seq);
    }
    const handler = HANDLERS[event];
    return handler === undefined ? NOTHING : handler(this, payload, event);
  }

  /** A message that an answer to a command holds: it may be ahead of the topic. */
  answered(message: Message): void {
    this.#name(message.author);
    this.timeline.applyReply(message);
    this.noteRun(message);
  }

  /** A run that a message tells of, if it is not over. */
  noteRun({ run }: Message): void {
    if (run === null || !isActive(run) || this.runs.get(run.id) !== undefined) return;
    // Its text is not in the message: what has any is asked for.
    if (run.seq === 0) this.runs.take(run);
    else this.runs.refresh(run.id);
  }

  pinned(messageId: string, isPinned: boolean): void {
    this.#pins = this.#pins.filter((id) => id !== messageId);
    if (isPinned) this.#pins.unshift(messageId);
  }

  said(message: Message, root: ThreadRoot | null): boolean {
    this.#name(message.author);
    this.typing = this.typing.filter(({ user }) => user.id !== message.author.id);
    const isNew = this.timeline.applyFact(message, root);
    this.noteRun(message);
    return isNew;
  }

  /** What a selection brings into sight: whoever came while it was hidden has none of it. */
  brought(messages: readonly Message[]): void {
    this.timeline.hold(messages);
    for (const message of messages) {
      this.#name(message.author);
      this.noteRun(message);
    }
  }

  changed(message: Message): void {
    this.timeline.applyChanged(message);
    if (message.run !== null && !isActive(message.run)) this.runs.forget(message.run.id);
    if (message.deleted_at === null) return;
    this.pinned(message.id, false);
    this.#deleted.add(message.seq);
  }

  member(event: string, member: Member): void {
    this.#name(member);
    if (event === "member_removed") this.members.delete(member.id);
    else this.members.set(member.id, member);
  }

  #know(reply: JoinReply): void {
    this.#name(reply.user ?? this.user);
    if (reply.conversation !== undefined) this.heading = reply.conversation;
    if (reply.members !== undefined) {
      this.members.clear();
      for (const member of reply.members) this.member("member_added", member);
    }
    if (reply.receipts !== undefined) this.receipts.replace(reply.receipts);
    if (reply.receipt_counts !== undefined) this.receipts.count(reply.receipt_counts);
    if (reply.unread) this.unread = reply.unread;
    if (reply.typing !== undefined) this.typing = reply.typing;
    if (reply.pins !== undefined) this.#pins = [...reply.pins];
    for (const { author } of this.timeline.messages) this.#name(author);
  }

  #name({ id, username }: Person): void {
    this.#names.set(id, username);
  }
}

/** Somebody who types, in a thread or (null) in the main line. */
export interface Typing {
  user: Person;
  thread_id: string | null;
  expires_in_ms: number;
}

const NOTHING: Meaning = { kind: "nothing" };
const CHANGED: Meaning = { kind: "changed" };

type Handler = (state: ConversationState, payload: Payload, event: string) => Meaning;

const changed: Handler = (state, payload) => {
  if (payload.root) {
    const root = payload.root as ThreadRoot;
    state.timeline.change(root.id, root);
  }
  const message = payload.message as Message;
  state.changed(message);
  return { kind: "changed", message };
};

const reaction: Handler = (state, { message_id, emoji, user }, event) => {
  const isAdded = event === "reaction_added";
  state.timeline.applyReaction(String(message_id), String(emoji), (user as Person).id, isAdded);
  return CHANGED;
};

const pin: Handler = (state, { message_id, pinned_at, by }, event) => {
  const isPinned = event === "message_pinned";
  const fields = {
    pinned_at: isPinned ? String(pinned_at) : null,
    pinned_by: isPinned ? (by as Person) : null,
  };
  state.timeline.change(String(message_id), fields);
  state.pinned(String(message_id), isPinned);
  return CHANGED;
};

const member: Handler = (state, payload, event) => {
  const told = payload.member as Member;
  state.member(event, told);
  return { kind: "members", event, member: told };
};

const heading: Handler = (state, { conversation }) => {
  state.heading = { ...state.heading, ...(conversation as Partial<Heading>) };
  return { kind: "heading" };
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  branch_selected: (state, { branch_of, message_id, messages }) => {
    state.brought(messages as Message[]);
    state.timeline.applySelection(String(branch_of), String(message_id));
    return CHANGED;
  },
  conversation_changed: heading,
  conversation_renamed: heading,
  member_added: member,
  member_changed: member,
  member_removed: member,
  message_completed: changed,
  message_deleted: changed,
  message_edited: changed,
  message_pinned: pin,
  message_sent: (state, { message, root }) => {
    const told = message as Message;
    const isNew = state.said(told, (root as ThreadRoot | undefined) ?? null);
    return isNew ? { kind: "said", message: told } : CHANGED;
  },
  message_unpinned: pin,
  reaction_added: reaction,
  reaction_removed: reaction,
  receipts_changed: (state, { receipts, receipt_counts, retracted }) => {
    state.receipts.apply(receipts as Receipt[]);
    const theirs = ((retracted as Retracted[] | undefined) ?? []).filter(
      ({ user_id }) => user_id !== state.user.id,
    );
    state.receipts.retract(theirs);
    // One's own mark is told alone: the numbers stand until new ones come.
    if (receipt_counts) state.receipts.count(receipt_counts as ReceiptCounts);
    return CHANGED;
  },
  run_event: (state, payload) => {
    state.runs.apply(payload as unknown as RunEvent);
    return NOTHING;
  },
  typing_changed: (state, { typing }) => {
    state.typing = typing as Typing[];
    return { kind: "typing" };
  },
};
