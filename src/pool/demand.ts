/** The demand of the last seconds: samples at even distances, and their means over a long and a short window, and their peak. */

/** Distance of samples, in ms. */
export const sampleMs = 125;

export class Demand {
  readonly #samples: Float64Array;
  readonly #shortLength: number;
  #taken = 0;
  #longSum = 0;
  #shortSum = 0;

  constructor(longMs: number, shortMs: number) {
    this.#samples = new Float64Array(Math.ceil(longMs / sampleMs));
    this.#shortLength = Math.ceil(shortMs / sampleMs);
  }

  /** Means over as many samples as there are, up to the window's. */
  get stable(): number {
    return this.#mean(this.#longSum, this.#samples.length);
  }

  get panic(): number {
    return this.#mean(this.#shortSum, this.#shortLength);
  }

  /** The most in the long window. */
  get peak(): number {
    let peak = 0;
    for (const sample of this.#samples) if (sample > peak) peak = sample;
    return peak;
  }

  /** Nothing was wanted in the whole of the long window. */
  get none(): boolean {
    return this.#longSum === 0;
  }

  /** @param demand a whole number. */
  sample(demand: number): void {
    const length = this.#samples.length;
    const at = this.#taken % length;
    this.#longSum += demand - (this.#samples[at] ?? 0);
    const leaving = this.#taken < this.#shortLength ? 0 : (this.#samples[(this.#taken - this.#shortLength) % length] ?? 0);
    this.#samples[at] = demand;
    this.#shortSum += demand - leaving;
    this.#taken++;
  }

  /** Forgets everything. */
  clear(): void {
    this.#samples.fill(0);
    this.#taken = this.#longSum = this.#shortSum = 0;
  }

  #mean(sum: number, length: number): number {
    return this.#taken === 0 ? 0 : sum / Math.min(this.#taken, length);
  }
}
