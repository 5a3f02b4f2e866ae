/**
 * The exchanges that are under way, for whoever waits for their end or brings it about, and for their deadlines. Each knows its
 * position: entering and leaving is done for every request.
 */
import type { Ticked, Ticker } from "../core/ticker.ts";

/** An exchange that is under way. */
export interface OpenExchange extends Ticked {
  /** For `OpenExchanges` alone. */
  position: number;
  /** Ends it at once: the host stops. */
  abort(): void;
}

export class OpenExchanges implements Ticked {
  readonly #open: OpenExchange[] = [];
  readonly #ticker: Ticker;
  #isTicked = false;
  #whenNone: (() => void)[] = [];

  constructor(ticker: Ticker) {
    this.#ticker = ticker;
  }

  get count(): number {
    return this.#open.length;
  }

  add(exchange: OpenExchange): void {
    exchange.position = this.#open.push(exchange) - 1;
    if (this.#isTicked) return;
    this.#isTicked = true;
    this.#ticker.add(this);
  }

  remove(exchange: OpenExchange): void {
    const open = this.#open;
    const last = open.pop();
    if (last !== undefined && last !== exchange) {
      open[exchange.position] = last;
      last.position = exchange.position;
    }
    if (open.length > 0) return;
    for (const told of this.#whenNone.splice(0)) told();
  }

  /** Resolves when none is open. To be asked once no new ones come. */
  none(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#open.length === 0) resolve();
      else this.#whenNone.push(resolve);
    });
  }

  /** Ends all that are open now: each leaves the list meanwhile. */
  abort(): void {
    for (const exchange of this.#open.slice()) exchange.abort();
  }

  tick(nowMs: number): void {
    if (this.#open.length === 0) {
      this.#isTicked = false;
      return this.#ticker.remove(this);
    }
    // Backwards: who leaves meanwhile is replaced by one that was looked at already.
    for (let index = this.#open.length - 1; index >= 0; index--) this.#open[index]?.tick(nowMs);
  }
}
