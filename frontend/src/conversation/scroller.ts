import type { LitElement } from "lit";

const NEAR_PX = 48;

/**
 * Where the reader is in the messages.
 *
 * The element scrolls from its bottom (`flex-direction: column-reverse`): it starts at the newest
 * message without a script, stays there while messages come, and history put in above moves
 * nothing. Only what comes below a reader who has scrolled up must be made good here.
 */
export class Scroller {
  readonly #element: HTMLElement;

  constructor(element: HTMLElement, onMove: () => void) {
    this.#element = element;
    element.addEventListener("scroll", onMove, { passive: true });
  }

  /** Whether the newest message is in view. */
  get isAtEnd(): boolean {
    return -this.#element.scrollTop < NEAR_PX;
  }

  /** How much is left above, in pixels. */
  get above(): number {
    const { scrollHeight, clientHeight, scrollTop } = this.#element;
    return scrollHeight - clientHeight + scrollTop;
  }

  /** Goes to the newest message. */
  toEnd(isSmooth = false): void {
    this.#element.scrollTo({ top: 0, behavior: isSmooth ? "smooth" : "instant" });
  }

  /** Makes a `change` to `list` and, once it is drawn, puts a reader who has scrolled up back. */
  async keepBelow(list: LitElement, change: () => void): Promise<void> {
    const isAtEnd = this.isAtEnd;
    const newest = lastRow(list);
    change();
    await list.updateComplete;
    if (isAtEnd) {
      this.toEnd();
    } else if (newest?.isConnected) {
      // Only what was added below the row moves the reader; what came above does not.
      const after = lastRow(list);
      const added = bottomOf(after) - bottomOf(newest);
      this.#element.scrollTop -= added;
    }
  }
}

function lastRow(list: LitElement): HTMLElement | null {
  return list.querySelector<HTMLElement>(".timeline > :last-child");
}

function bottomOf(row: HTMLElement | null): number {
  return row === null ? 0 : row.getBoundingClientRect().bottom;
}
