import { isShown } from "./branches";
import type { Message } from "./message";

/** The messages of the main line that are held, in `seq` order; threads are not in it. */
export class MainLine {
  readonly #messages: Message[] = [];

  /** Takes a message, or what became of one. */
  put(message: Message): void {
    if (message.thread_id !== null) return;
    const index = this.#indexOf(message.seq);
    const isHeld = this.#messages[index]?.seq === message.seq;
    this.#messages.splice(index, isHeld ? 1 : 0, message);
  }

  /** Those from `low` to `high` that are part of what is shown. */
  between(low: number, high: number, byId: ReadonlyMap<string, Message>): Message[] {
    return this.#messages
      .slice(this.#indexOf(low), this.#indexOf(high + 1))
      .filter((message) => isShown(message, byId));
  }

  /** Takes away, and returns, those from `low` to `high`. */
  drop(low: number, high: number): Message[] {
    const from = this.#indexOf(low);
    return this.#messages.splice(from, this.#indexOf(high + 1) - from);
  }

  clear(): void {
    this.#messages.length = 0;
  }

  /** Where the first message with `seq` or later stands. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#messages[middle]?.seq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
