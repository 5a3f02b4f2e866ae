/** Which addresses of a half are free. One that was given back is given out again as late as possible: who still remembers it forgets. */

export interface AddressRange {
  /** Index of the first address that may be given out, in its block. */
  readonly from: number;
  /** Behind the last. */
  readonly to: number;
}

export class Addresses {
  readonly #range: AddressRange;
  readonly #used = new Set<number>();
  #next: number;

  constructor(range: AddressRange) {
    this.#range = range;
    this.#next = range.from;
  }

  get size(): number {
    return this.#range.to - this.#range.from;
  }

  /** An index that nobody has; undefined: all are given out. */
  take(): number | undefined {
    if (this.#used.size >= this.size) return undefined;
    while (this.#used.has(this.#next)) this.#advance();
    const index = this.#next;
    this.#used.add(index);
    this.#advance();
    return index;
  }

  giveBack(index: number): void {
    this.#used.delete(index);
  }

  #advance(): void {
    this.#next = this.#next + 1 < this.#range.to ? this.#next + 1 : this.#range.from;
  }
}
