/** A request's body that its function gets whole: gathered where it is longer than a frame. Its length is limited by the host. */
import { IncomingCredit } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";

export class WholeBody {
  readonly #credit: IncomingCredit;
  readonly #chunks: Uint8Array[] = [];

  constructor(channel: Channel, exchange: number) {
    this.#credit = new IncomingCredit(channel, exchange);
  }

  push(chunk: Uint8Array): void {
    this.#credit.received(chunk.byteLength);
    this.#chunks.push(chunk);
    this.#credit.consumed(chunk.byteLength);
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
}
