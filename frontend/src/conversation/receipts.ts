import type { Message, Receipt, ReceiptCounts, Retracted } from "./message";

/** How many of how many have read a message. */
export interface SeenCount {
  count: number;
  members: number;
}

/** Who has got how far, by the marks that the topic tells of. A mark only ever grows. */
export class Receipts {
  readonly #marks = new Map<string, Receipt>();
  #counts: ReceiptCounts | null = null;

  /** Starts from the marks that a join gives. */
  replace(receipts: readonly Receipt[]): void {
    this.#marks.clear();
    this.apply(receipts);
  }

  /** Takes marks as they move; an older one changes nothing. */
  apply(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      const key = keyOf(receipt);
      const held = this.#marks.get(key);
      this.#marks.set(key, held === undefined ? receipt : later(held, receipt));
    }
  }

  /** Forgets marks that somebody shares no more. */
  retract(retracted: readonly Retracted[]): void {
    for (const each of retracted) this.#marks.delete(keyOf(each));
  }

  /** Takes the numbers that stand for names where there are many members; null where there are not. */
  count(counts: ReceiptCounts | null): void {
    this.#counts = counts;
  }

  /** Whether there are too many members for names. */
  get isCrowd(): boolean {
    return this.#counts !== null;
  }

  /** How many have read this message, where nobody is told who; null where there are names, or nobody has. */
  seenCount({ seq, thread_id }: Message): SeenCount | null {
    if (this.#counts === null || thread_id !== null) return null;
    const { members, read } = this.#counts;
    const count = read.findLast((mark) => mark.seq >= seq)?.count ?? 0;
    return count === 0 ? null : { count, members };
  }

  /** The reader's own mark; 0 before the first. */
  own(userId: number, threadId: string | null = null): number {
    return this.#marks.get(`${userId} ${threadId ?? ""}`)?.read_seq ?? 0;
  }

  /** Who has read this message, by their ids; its author aside. */
  readersOf(message: Message): number[] {
    return this.#of(message.thread_id)
      .filter(({ user_id, read_seq }) => user_id !== message.author.id && read_seq >= message.seq)
      .map(({ user_id }) => user_id);
  }

  /** Whether anybody else's device has the message. */
  isDelivered(message: Message): boolean {
    return this.#of(message.thread_id).some(
      ({ user_id, delivered_seq, read_seq }) =>
        user_id !== message.author.id && Math.max(delivered_seq, read_seq) >= message.seq,
    );
  }

  /** Each reader at the last of these messages that they have seen, by message id. */
  facesAt(messages: readonly Message[], ownId: number): Map<string, number[]> {
    const faces = new Map<string, number[]>();
    for (const { user_id, read_seq } of this.#of(null)) {
      if (user_id === ownId) continue;
      const index = lastUpTo(messages, read_seq);
      const at = messages[index];
      if (at !== undefined) faces.set(at.id, [...(faces.get(at.id) ?? []), user_id]);
    }
    return faces;
  }

  #of(threadId: string | null): Receipt[] {
    return [...this.#marks.values()].filter(({ thread_id }) => (thread_id ?? null) === threadId);
  }
}

function keyOf({ user_id, thread_id }: Retracted): string {
  return `${user_id} ${thread_id ?? ""}`;
}

function later(held: Receipt, told: Receipt): Receipt {
  return {
    ...held,
    delivered_seq: Math.max(held.delivered_seq, told.delivered_seq),
    read_seq: Math.max(held.read_seq, told.read_seq),
  };
}

/** The index of the last message with `seq` or less; -1 when all are later. */
function lastUpTo(messages: readonly Message[], seq: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((messages[middle]?.seq ?? 0) <= seq) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
