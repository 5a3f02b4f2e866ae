/** The exchanges that are open on a runner's link, by their numbers. */
import type { Channel } from "../link/channel.ts";
import type { LinkExchange } from "./link-exchange.ts";

export class OpenExchanges {
  readonly #channel: Channel;
  readonly #byNumber = new Map<number, LinkExchange>();
  #quiet = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get size(): number {
    return this.#byNumber.size;
  }

  get(number: number): LinkExchange | undefined {
    return this.#byNumber.get(number);
  }

  values(): IterableIterator<LinkExchange> {
    return this.#byNumber.values();
  }

  add(number: number, exchange: LinkExchange): void {
    this.#byNumber.set(number, exchange);
    this.#tell();
  }

  delete(number: number): void {
    this.#byNumber.delete(number);
    this.#tell();
  }

  /** So many more of them (fewer, when negative) wait for the host and not it for them: they do not decide how soon frames are written. */
  quiet(change: number): void {
    this.#quiet += change;
    this.#tell();
  }

  #tell(): void {
    this.#channel.exchangesOpen = this.#byNumber.size - this.#quiet;
  }
}
