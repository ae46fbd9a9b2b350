const GATHER_MS = 900;
const MOST_READ_OUT = 3;
/** Long enough to be read out. What was said is no part of the page: it may have been deleted since. */
const KEPT_MS = 30_000;

/**
 * Says things through a live region without flooding it.
 *
 * What comes within a moment is read as one; more than a few lines become their number.
 */
export class Announcer {
  readonly #region: HTMLElement;
  #waiting: string[] = [];
  #timer = 0;
  #clearing = 0;

  constructor(region: HTMLElement) {
    this.#region = region;
  }

  /** Queues a sentence; `many` tells how to sum up when there are too many to read. */
  say(sentence: string, many: (count: number) => string = (count) => `${count} notices`): void {
    this.#waiting.push(sentence);
    if (this.#timer !== 0) return;
    this.#timer = window.setTimeout(() => {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#timer = 0;
      this.#region.textContent =
        waiting.length > MOST_READ_OUT ? many(waiting.length) : waiting.join(" ");
      window.clearTimeout(this.#clearing);
      this.#clearing = window.setTimeout(() => this.#region.replaceChildren(), KEPT_MS);
    }, GATHER_MS);
  }
}
