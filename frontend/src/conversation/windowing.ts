/**
 * Which rows of a long list are worth drawing.
 *
 * The list scrolls from its bottom, so distances are measured from there: what comes or changes
 * above a place never moves it. Rows that are not drawn count with the height that they had when
 * they last were, or with an estimate.
 */
export class Windowing {
  /** A list up to this long is drawn whole: nothing would be won. */
  static readonly WHOLE = 120;
  static readonly AHEAD_PX = 1_400;
  static readonly ESTIMATE_PX = 44;

  readonly #heights = new Map<string, number>();
  #keys: readonly string[] = [];
  /** below[i]: how many pixels lie below row i. One longer than the keys. */
  #below = new Float64Array(1);
  #isStale = false;

  /** The rows are these now, from top to bottom. */
  set keys(keys: readonly string[]) {
    this.#keys = keys;
    this.#isStale = true;
  }

  /** Notes how high a row really is; says whether that is news. */
  measured(key: string, height: number): boolean {
    if (this.#heights.get(key) === height) return false;
    this.#heights.set(key, height);
    this.#isStale = true;
    return true;
  }

  /** The width has changed: what was measured is no longer so. */
  forget(): void {
    this.#heights.clear();
    this.#isStale = true;
  }

  /**
   * The rows [start, end) for a viewport `height` high, `scrolled` pixels above the bottom, and the
   * space of those left out above and below.
   */
  range(scrolled: number, height: number): Range {
    const count = this.#keys.length;
    if (count <= Windowing.WHOLE) return { start: 0, end: count, above: 0, below: 0 };
    this.#sum();
    const low = scrolled - Windowing.AHEAD_PX;
    const high = scrolled + height + Windowing.AHEAD_PX;
    const start = this.#rowAt(high);
    const end = Math.min(count, this.#rowAt(low) + 1);
    return {
      start,
      end,
      above: (this.#below[0] ?? 0) + this.#heightAt(0) - this.#top(start),
      below: end === count ? 0 : this.#top(end),
    };
  }

  /** How far a row's bottom is above the end of the list. */
  bottomOf(key: string): number | null {
    const index = this.#keys.indexOf(key);
    if (index === -1) return null;
    this.#sum();
    return this.#below[index] ?? 0;
  }

  /** The index of the row at a distance from the bottom. */
  #rowAt(distance: number): number {
    let low = 0;
    let high = this.#keys.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#below[middle] ?? 0) <= distance) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #top(index: number): number {
    return (this.#below[index] ?? 0) + this.#heightAt(index);
  }

  #heightAt(index: number): number {
    return this.#heights.get(this.#keys[index] ?? "") ?? Windowing.ESTIMATE_PX;
  }

  #sum(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#below = new Float64Array(this.#keys.length + 1);
    let total = 0;
    for (let index = this.#keys.length - 1; index >= 0; index -= 1) {
      this.#below[index] = total;
      total += this.#heightAt(index);
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
  const isEdge = wanted.start === 0 || wanted.end === count;
  const moved = Math.max(Math.abs(drawn.start - wanted.start), Math.abs(drawn.end - wanted.end));
  return moved > FEW || (isEdge && moved > 0);
}
