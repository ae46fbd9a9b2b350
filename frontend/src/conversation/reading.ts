/** So long must a message be in view to count as read. */
export const READ_MS = 1_000;
/** Not more often than this does a page say what has reached it. */
export const DELIVERED_MS = 2_000;

/** What the reading mark needs from the page around it. */
export interface ReadingSurroundings {
  /** The newest seq in view, or null while nobody looks. */
  seenSeq: () => number | null;
  push: (event: "mark_read" | "mark_delivered", seq: number) => void;
  wait: (callback: () => void, ms: number) => number;
  forget: (timer: number) => void;
}

/** Tells the server how far this reader has got: what was really in view, and what has arrived. */
export class Reading {
  readonly #around: ReadingSurroundings;
  #readSeq: number;
  /** So far the server has said that it knows. */
  #knownSeq: number;
  #deliveredSeq: number;
  #arrivedSeq = 0;
  #candidate: number | null = null;
  #readTimer = 0;
  #deliveredTimer = 0;

  constructor(readSeq: number, around: ReadingSurroundings) {
    this.#around = around;
    this.#readSeq = readSeq;
    this.#knownSeq = readSeq;
    this.#deliveredSeq = readSeq;
  }

  /** Up to here it has been read, on this device or another. */
  get readSeq(): number {
    return this.#readSeq;
  }

  /** The server has this mark, from this device or another. */
  moveTo(seq: number): void {
    this.#knownSeq = Math.max(this.#knownSeq, seq);
    this.#readSeq = Math.max(this.#readSeq, seq);
  }

  /** What is in view may have changed. */
  look(): void {
    const seen = this.#around.seenSeq();
    if (seen === null || seen <= this.#readSeq) {
      if (seen === null) this.#drop();
      return;
    }
    if (this.#candidate !== null) return;
    this.#candidate = seen;
    this.#readTimer = this.#around.wait(() => this.#settle(), READ_MS);
  }

  /** This has reached the page. */
  arrived(seq: number): void {
    this.#arrivedSeq = Math.max(this.#arrivedSeq, seq);
    if (this.#arrivedSeq <= this.#deliveredSeq || this.#deliveredTimer !== 0) return;
    this.#deliveredTimer = this.#around.wait(() => {
      this.#deliveredTimer = 0;
      // What was read was delivered: the server knows that by itself.
      if (this.#arrivedSeq <= Math.max(this.#deliveredSeq, this.#readSeq)) return;
      this.#deliveredSeq = this.#arrivedSeq;
      this.#around.push("mark_delivered", this.#arrivedSeq);
    }, DELIVERED_MS);
  }

  /** The server listens again: what was said meanwhile, or was lost on its way, is said again. */
  again(): void {
    this.#drop();
    if (this.#readSeq > this.#knownSeq) this.#around.push("mark_read", this.#readSeq);
    this.#deliveredSeq = this.#knownSeq;
    this.arrived(this.#arrivedSeq);
    this.look();
  }

  #drop(): void {
    this.#around.forget(this.#readTimer);
    this.#candidate = null;
  }

  #settle(): void {
    const seq = this.#candidate;
    this.#candidate = null;
    const seen = this.#around.seenSeq();
    if (seq === null || seen === null) return;
    if (seq > this.#readSeq) {
      this.#readSeq = seq;
      this.#around.push("mark_read", seq);
    }
    this.look();
  }
}
