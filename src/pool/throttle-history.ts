/** How long an instance was held back by its CPU limit, at some moments of its life: fewer, the longer ago. */

/** When there are so many, every second one is forgotten: at four a second they go back some minutes. */
const samplesMax = 256;

export class ThrottleHistory {
  readonly #samples: { readonly atMs: number; readonly throttledMs: number }[] = [];

  /** @param throttledMs all of it, since the instance's start. */
  add(atMs: number, throttledMs: number): void {
    const last = this.#samples.at(-1);
    // What does not change needs its first and its last moment.
    if (last?.throttledMs === throttledMs && this.#samples.at(-2)?.throttledMs === throttledMs) this.#samples.pop();
    this.#samples.push({ atMs, throttledMs });
    if (this.#samples.length < samplesMax) return;
    const kept = this.#samples.filter((_, index) => index % 2 === 1);
    this.#samples.splice(0, this.#samples.length, ...kept);
  }

  /** How much of it came since then, by the last sample before; where there is none, since the first that is known. */
  since(sinceMs: number): number {
    const before = this.#samples.findLast(({ atMs }) => atMs <= sinceMs) ?? this.#samples[0];
    return (this.#samples.at(-1)?.throttledMs ?? 0) - (before?.throttledMs ?? 0);
  }

  get length(): number {
    return this.#samples.length;
  }
}
