/**
 * One coarse clock for everything that has a deadline: a timer, an AbortController or a promise race per request would
 * cost more than the request's own work. Whoever waits registers for the time that it waits; most are gone before the
 * first tick and never pay for more than a set's insertion.
 */

/** How far apart ticks are, in ms: deadlines fire at most so late. */
export const tickMs = 50;

export interface Ticked {
  /** @param nowMs `performance.now()` of this tick. */
  tick(nowMs: number): void;
}

export class Ticker {
  readonly #waiting = new Set<Ticked>();
  #timer: ReturnType<typeof setInterval> | undefined;

  add(it: Ticked): void {
    this.#waiting.add(it);
    this.#timer ??= setInterval(this.#tick, tickMs);
  }

  remove(it: Ticked): void {
    this.#waiting.delete(it);
  }

  /** Forgets everything and stops the clock. */
  close(): void {
    this.#waiting.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #tick = (): void => {
    if (this.#waiting.size === 0) {
      // Nobody waits: an idle host does not wake up twenty times a second.
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    for (const it of this.#waiting) it.tick(now);
  };
}
