import type { Person } from "./message";

/** Not more often than this does a page say that its reader still writes. */
export const REPEAT_MS = 3_000;
/** After this long without a key it says that they have stopped. */
export const IDLE_MS = 5_000;
/** The server ends what nobody repeats; a page that missed that ends it as well. */
export const EXPIRY_MS = 12_000;

/** "grace is typing…", in one line however many write. */
export function typingLine(people: readonly Person[]): string {
  const names = people.map(({ username }) => username);
  if (names.length === 0) return "";
  if (names.length > 3) return `${names.length} people are typing…`;
  const list = new Intl.ListFormat("en", { type: "conjunction" }).format(names);
  return `${list} ${names.length === 1 ? "is" : "are"} typing…`;
}

/** What a typist needs from the page around it. */
export interface TypistSurroundings {
  /** Resolves once the server listens, at once if it does already. */
  joined: () => Promise<void>;
  push: (event: "start_typing" | "stop_typing") => void;
  now: () => number;
  wait: (callback: () => void, ms: number) => number;
  forget: (timer: number) => void;
}

/** Tells that the reader writes, seldom enough, and that they have stopped, soon enough. */
export class Typist {
  readonly #around: TypistSurroundings;
  /** When it was last to be told that the reader writes; null when they do not. */
  #toldAt: number | null = null;
  #isTold = false;
  #isWaiting = false;
  #timer = 0;

  constructor(around: TypistSurroundings) {
    this.#around = around;
  }

  /** A key has changed the text; an empty text is nobody's typing. */
  typed(isEmpty: boolean): void {
    if (isEmpty) {
      this.stop();
      return;
    }
    const now = this.#around.now();
    if (this.#toldAt === null || now - this.#toldAt >= REPEAT_MS) {
      this.#toldAt = now;
      void this.#tell();
    }
    this.#around.forget(this.#timer);
    this.#timer = this.#around.wait(() => this.stop(), IDLE_MS);
  }

  /** The text was sent or left: the server knows of a message by itself. */
  stop(isSent = false): void {
    this.#around.forget(this.#timer);
    this.#toldAt = null;
    if (this.#isTold && !isSent) this.#around.push("stop_typing");
    this.#isTold = false;
  }

  /** Whoever writes while the page is not connected is seen as soon as it is, if they still do. */
  async #tell(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    await this.#around.joined();
    this.#isWaiting = false;
    if (this.#toldAt === null) return;
    this.#around.push("start_typing");
    this.#isTold = true;
  }
}
