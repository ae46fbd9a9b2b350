import type { Message } from "./message";

/**
 * The messages that the page holds, in `seq` order, each once.
 *
 * `lastSeq` is what a rejoin asks to continue after. Only facts of the topic move it: they come in
 * order, while the reply to our own send may overtake somebody else's message.
 */
export class Timeline {
  readonly #bySeq = new Map<number, Message>();
  readonly #clientIds = new Map<string, number>();
  #sorted: Message[] | null = null;
  #lastSeq = 0;
  hasMore: boolean;

  constructor(messages: readonly Message[], lastSeq: number, hasMore: boolean) {
    this.hasMore = hasMore;
    this.#lastSeq = lastSeq;
    for (const message of messages) this.#hold(message);
  }

  /** The last fact of the topic that this page has seen. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Everything held, oldest first. The array is replaced, never changed. */
  get messages(): readonly Message[] {
    this.#sorted ??= [...this.#bySeq.values()].sort((one, other) => one.seq - other.seq);
    return this.#sorted;
  }

  /** The oldest message held. */
  get first(): Message | undefined {
    return this.messages[0];
  }

  /** Takes a fact of the topic; says whether its message is new to the page. */
  applyFact(message: Message): boolean {
    this.sawSeq(message.seq);
    return this.#hold(message);
  }

  /** Notes that the topic has reached `seq`, whatever the fact was. */
  sawSeq(seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq);
  }

  /** Takes the server's answer to a send: it may be ahead of facts still on their way. */
  applyReply(message: Message): boolean {
    return this.#hold(message);
  }

  /** Takes older messages from a history page. */
  prepend(messages: readonly Message[], hasMore: boolean): void {
    for (const message of messages) this.#hold(message);
    this.hasMore = hasMore;
  }

  /** Starts afresh when the server cannot say what was missed. */
  reset(messages: readonly Message[], lastSeq: number): void {
    this.#bySeq.clear();
    this.#clientIds.clear();
    this.#sorted = null;
    this.#lastSeq = lastSeq;
    for (const message of messages) this.#hold(message);
    this.hasMore = (this.first?.seq ?? 1) > 1;
  }

  /** Whether the message that `authorId` sent as `clientId` is here. */
  hasSent(authorId: number, clientId: string): boolean {
    return this.#clientIds.has(keyOf(authorId, clientId));
  }

  #hold(message: Message): boolean {
    if (this.#bySeq.has(message.seq)) return false;
    this.#bySeq.set(message.seq, message);
    this.#clientIds.set(keyOf(message.author.id, message.client_id), message.seq);
    this.#sorted = null;
    return true;
  }
}

function keyOf(authorId: number, clientId: string): string {
  return `${authorId} ${clientId}`;
}
