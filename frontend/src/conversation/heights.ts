/**
 * The heights of many things that lie on each other, and their sums.
 *
 * A binary indexed tree (Fenwick, 1994, "A new data structure for cumulative frequency tables"): to
 * change a height, to ask how much lies below one, and what lies at a distance, each takes as many
 * steps as the number of things has digits. Counted from the bottom.
 */
export class Heights {
  readonly #heights: Float64Array;
  /** tree[i]: the sum of the heights in (i - (i & -i), i], counted from 1. */
  readonly #tree: Float64Array;

  /** `heightAt(i)` for each of `count` things, the lowest first. */
  constructor(count: number, heightAt: (index: number) => number) {
    this.#heights = new Float64Array(count);
    this.#tree = new Float64Array(count + 1);
    for (let index = 0; index < count; index += 1) {
      const height = heightAt(index);
      this.#heights[index] = height;
      const place = index + 1;
      this.#tree[place] = (this.#tree[place] ?? 0) + height;
      const parent = place + (place & -place);
      if (parent <= count)
        this.#tree[parent] = (this.#tree[parent] ?? 0) + (this.#tree[place] ?? 0);
    }
  }

  get count(): number {
    return this.#heights.length;
  }

  /** How high all of it is. */
  get total(): number {
    return this.below(this.count);
  }

  at(index: number): number {
    return this.#heights[index] ?? 0;
  }

  set(index: number, height: number): void {
    const more = height - this.at(index);
    if (more === 0) return;
    this.#heights[index] = height;
    for (let place = index + 1; place <= this.count; place += place & -place) {
      this.#tree[place] = (this.#tree[place] ?? 0) + more;
    }
  }

  /** How much lies below a thing; of `count`, all of it. */
  below(index: number): number {
    let sum = 0;
    for (let place = index; place > 0; place -= place & -place) sum += this.#tree[place] ?? 0;
    return sum;
  }

  /** The highest thing that begins at `distance` or below; the lowest when none does. */
  indexAt(distance: number): number {
    let place = 0;
    let left = distance;
    for (let step = 2 ** Math.floor(Math.log2(Math.max(1, this.count))); step >= 1; step /= 2) {
      const sum = this.#tree[place + step];
      if (sum === undefined || sum > left) continue;
      place += step;
      left -= sum;
    }
    return Math.max(0, Math.min(place, this.count - 1));
  }
}
