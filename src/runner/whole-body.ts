/** A request's body that its function gets whole: gathered where it is longer than a frame. Its length is limited by the host. */
import { ByteQueue } from "../core/byte-queue.ts";
import { IncomingCredit } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";

export class WholeBody {
  readonly #credit: IncomingCredit;
  readonly #held = new ByteQueue();

  constructor(channel: Channel, exchange: number) {
    this.#credit = new IncomingCredit(channel, exchange);
  }

  push(chunk: Uint8Array): void {
    this.#credit.received(chunk.byteLength);
    this.#held.push(chunk);
    this.#credit.consumed(chunk.byteLength);
  }

  /** All of it, once. */
  take(): Uint8Array {
    return this.#held.take();
  }
}
