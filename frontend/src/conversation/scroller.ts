const NEAR_PX = 48;
const MOST_VIEWS = 4;

/**
 * Where the reader is in the messages.
 *
 * The element scrolls from its bottom (`flex-direction: column-reverse`): it starts at the newest
 * message without a script, stays there while messages come, and history put in above moves
 * nothing. What changes below the first row in view would move a reader who has scrolled up:
 * `settle` puts them back, before anything is painted.
 */
export class Scroller {
  readonly #element: HTMLElement;
  #anchor: { row: HTMLElement; edge: number } | null = null;
  #wasAtEnd = true;
  /** As last seen: to ask the browser in the middle of an update would make it lay out the page twice. */
  #scrolled = 0;
  #height = 0;
  /** A smooth scroll to the end is under way: nothing may hold it up. */
  #isOnItsWay = false;
  /** Whether the end is the present, where a reader stays with what comes. */
  isPresent = true;

  constructor(element: HTMLElement, onMove: () => void) {
    this.#element = element;
    element.addEventListener(
      "scroll",
      () => {
        this.#note();
        onMove();
      },
      { passive: true },
    );
    element.addEventListener("scrollend", () => {
      this.#isOnItsWay = false;
      this.#note();
    });
    new ResizeObserver(() => {
      this.settle();
      onMove();
    }).observe(element);
  }

  /** Whether the last message is in view. */
  get isAtEnd(): boolean {
    return this.#wasAtEnd;
  }

  /** How far above the end the lower edge of the view is, in pixels. */
  get scrolled(): number {
    return this.#scrolled;
  }

  /** The height of the view. */
  get height(): number {
    return this.#height;
  }

  /** Where the lower edge of the view is in the window. */
  get bottom(): number {
    return this.#element.getBoundingClientRect().bottom;
  }

  /** How much is left above, in pixels. */
  get above(): number {
    const { scrollHeight, clientHeight, scrollTop } = this.#element;
    return scrollHeight - clientHeight + scrollTop;
  }

  /** The key of the row by which a reader is held in place; null at the end. */
  get heldKey(): string | null {
    return this.#anchor?.row.dataset.key ?? null;
  }

  /** Goes to the last message; smoothly only where that is not far. */
  toEnd(isSmooth = false): void {
    this.#isOnItsWay = isSmooth && !this.isAtEnd && this.scrolled < MOST_VIEWS * this.height;
    this.#element.scrollTo({ top: 0, behavior: this.#isOnItsWay ? "smooth" : "instant" });
    if (!this.#isOnItsWay) this.#note();
  }

  /** From here on the reader is held where they are now. */
  hold(): void {
    this.#note();
  }

  /** Brings a place `distance` pixels above the end into the middle of the view. */
  goTo(distance: number): void {
    this.#element.scrollTop = -Math.max(0, distance - this.height / 2);
    this.#look();
    this.#anchor = null;
  }

  /** The list has been drawn anew or has changed its size: the reader stays where they were. */
  settle(): void {
    if (this.#isOnItsWay) return;
    // Moved by the reader, and the event is still on its way: there they want to be.
    const hasMoved = Math.abs(this.#element.scrollTop + this.#scrolled) >= 1;
    if (hasMoved) {
      // Nothing to hold them by.
    } else if (this.#wasAtEnd && this.isPresent) {
      if (this.#scrolled !== 0) this.#element.scrollTop = 0;
    } else if (this.#anchor?.row.isConnected) {
      const moved = edgeOf(this.#anchor.row) - this.#anchor.edge;
      if (Math.abs(moved) >= 1) this.#element.scrollTop += moved;
    }
    this.#note();
  }

  #look(): void {
    this.#scrolled = -this.#element.scrollTop;
    this.#height = this.#element.clientHeight;
    this.#wasAtEnd = this.#scrolled < NEAR_PX;
  }

  #note(): void {
    this.#look();
    if (this.#wasAtEnd) this.#isOnItsWay = false;
    const row = this.#wasAtEnd && this.isPresent ? null : this.#firstInView();
    this.#anchor = row === null ? null : { row, edge: edgeOf(row) };
  }

  #firstInView(): HTMLElement | null {
    const edge = this.#element.getBoundingClientRect().top;
    const rows = this.#element.querySelector(".timeline")?.children ?? [];
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const bottom = rows[middle]?.getBoundingClientRect().bottom ?? 0;
      if (bottom > edge) high = middle;
      else low = middle + 1;
    }
    let row = rows[low];
    while (row !== undefined && !row.matches(".message")) row = row.nextElementSibling ?? undefined;
    return (row as HTMLElement | undefined) ?? null;
  }
}

/**
 * The edge by which a row is held: its end, for its beginning changes with what comes before it; of
 * an answer that is being written, its beginning.
 */
function edgeOf(row: HTMLElement): number {
  const { top, bottom } = row.getBoundingClientRect();
  return row.querySelector("running-answer") === null ? bottom : top;
}
