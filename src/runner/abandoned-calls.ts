/**
 * Calls that the host gave up and whose functions did not end with them. A few are patience, many are a leak: the host is
 * told their number, and replaces the instance when there are too many.
 */
import { type Ticked, Ticker } from "../core/ticker.ts";

/** How long a function has to end by itself after its call was given up. */
export const abandonedAfterMs = 2000;

export class AbandonedCalls implements Ticked {
  readonly #ticker: Ticker;
  readonly #changed: (calls: number) => void;
  /** When they were given up, by `performance.now()`, in this order. */
  readonly #waiting = new Map<object, number>();
  readonly #abandoned = new Set<object>();

  /** @param changed is told how many there are, at each change. */
  constructor(changed: (calls: number) => void, ticker: Ticker = new Ticker()) {
    this.#changed = changed;
    this.#ticker = ticker;
  }

  givenUp(call: object): void {
    this.#waiting.set(call, performance.now());
    this.#ticker.add(this);
  }

  /** Its function has ended after all. */
  settled(call: object): void {
    this.#waiting.delete(call);
    if (this.#abandoned.delete(call)) this.#changed(this.#abandoned.size);
  }

  tick(nowMs: number): void {
    const before = this.#abandoned.size;
    for (const [call, sinceMs] of this.#waiting) {
      if (nowMs - sinceMs < abandonedAfterMs) break;
      this.#waiting.delete(call);
      this.#abandoned.add(call);
    }
    if (this.#waiting.size === 0) this.#ticker.remove(this);
    if (this.#abandoned.size !== before) this.#changed(this.#abandoned.size);
  }

  close(): void {
    this.#ticker.close();
  }
}
