import { Heights } from "./heights";

/**
 * Which rows of a long list are worth drawing.
 *
 * The list scrolls from its bottom, so distances are measured from there: what comes or changes
 * above a place never moves it. Rows that are not drawn count with the height that they had when
 * they last were, or with an estimate. A step of scrolling costs the same in a list of any length.
 */
export class Windowing {
  /** A list up to this long is drawn whole: nothing would be won. */
  static readonly WHOLE = 100;
  static readonly AHEAD_PX = 800;
  static readonly ESTIMATE_PX = 44;

  /** What rows were measured to be; kept while they are not drawn, and when others come between. */
  #known = new Map<string, number>();
  #keys: readonly string[] = [];
  #heights: Heights | null = null;

  /** The rows are these now, from top to bottom. */
  set keys(keys: readonly string[]) {
    this.#keys = keys;
    this.#heights = null;
    if (this.#known.size > 2 * Math.max(keys.length, Windowing.WHOLE)) this.#forgetOthers();
  }

  /** Notes how high the row at an index really is; says whether that is news. */
  measured(index: number, height: number): boolean {
    const key = this.#keys[index];
    if (key === undefined || this.#known.get(key) === height) return false;
    this.#known.set(key, height);
    this.#heights?.set(this.#fromBottom(index), height);
    return true;
  }

  /** The width has changed: what was measured is no longer so. */
  forget(): void {
    this.#known.clear();
    this.#heights = null;
  }

  /**
   * The rows [start, end) for a viewport `height` high, `scrolled` pixels above the bottom, and the
   * space of those left out above and below.
   */
  range(scrolled: number, height: number): Range {
    const count = this.#keys.length;
    if (count <= Windowing.WHOLE) return { start: 0, end: count, above: 0, below: 0 };
    const heights = this.#summed();
    const highest = heights.indexAt(scrolled + height + Windowing.AHEAD_PX);
    const lowest = heights.indexAt(scrolled - Windowing.AHEAD_PX);
    return {
      start: this.#fromBottom(highest),
      end: this.#fromBottom(lowest) + 1,
      above: heights.total - heights.below(highest + 1),
      below: heights.below(lowest),
    };
  }

  /** How far a row's bottom is above the end of the list. */
  bottomOf(key: string): number | null {
    const index = this.#keys.indexOf(key);
    return index === -1 ? null : this.#summed().below(this.#fromBottom(index));
  }

  #fromBottom(index: number): number {
    return this.#keys.length - 1 - index;
  }

  #summed(): Heights {
    this.#heights ??= new Heights(
      this.#keys.length,
      (index) =>
        this.#known.get(this.#keys[this.#fromBottom(index)] ?? "") ?? Windowing.ESTIMATE_PX,
    );
    return this.#heights;
  }

  #forgetOthers(): void {
    const before = this.#known;
    this.#known = new Map();
    for (const key of this.#keys) {
      const height = before.get(key);
      if (height !== undefined) this.#known.set(key, height);
    }
  }
}

/** The rows to draw, [start, end), and the space in place of the others. */
export interface Range {
  start: number;
  end: number;
  above: number;
  below: number;
}

/** Whether `wanted` is different enough from what is drawn to be worth drawing. */
export function isWorthDrawing(drawn: Range, wanted: Range, count: number): boolean {
  const FEW = 8;
  const moved = Math.max(Math.abs(drawn.start - wanted.start), Math.abs(drawn.end - wanted.end));
  if (moved > FEW) return true;
  const isTop = wanted.start === 0 && drawn.start !== 0;
  return isTop || (wanted.end === count && drawn.end !== count);
}
