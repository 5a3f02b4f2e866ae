/**
 * A request's body as its function reads it: a stream that takes from the link what is read and no more, so that a body of
 * any length needs memory for one window.
 */
import { ByteQueue } from "../core/byte-queue.ts";
import { IncomingCredit } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";

export class RequestBody {
  readonly #credit: IncomingCredit;
  readonly #held = new ByteQueue();
  #stream: ReadableStream<Uint8Array> | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** A read that waits for data. */
  #wanted: (() => void) | undefined;
  #state: "open" | "whole" | "over" = "open";

  constructor(channel: Channel, exchange: number) {
    this.#credit = new IncomingCredit(channel, exchange);
  }

  /** A chunk came. @param last nothing follows. */
  push(chunk: Uint8Array, last: boolean): void {
    if (this.#state !== "open") return;
    this.#credit.received(chunk.byteLength);
    if (chunk.byteLength > 0) this.#held.push(chunk);
    if (last) this.#state = "whole";
    this.#serve();
  }

  get stream(): ReadableStream<Uint8Array> {
    return (this.#stream ??= new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#forget(),
      },
      { highWaterMark: 0 },
    ));
  }

  /** Nothing more comes: whoever reads is told why. */
  abort(reason: unknown): void {
    if (this.#state === "over") return;
    const unread = this.#state === "open" || this.#held.byteLength > 0;
    this.#forget();
    if (unread) this.#controller?.error(reason);
  }

  #pull(): Promise<void> | undefined {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = resolve;
    this.#serve();
    return this.#wanted === undefined ? undefined : promise;
  }

  /** Gives a read that waits what there is for it. */
  #serve(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || this.#state === "over") return;
    const chunk = this.#held.shift();
    if (chunk !== undefined) {
      // A copy: the chunk shares its memory with other frames, and what authors get is theirs to change and transfer.
      this.#controller?.enqueue(new Uint8Array(chunk));
      this.#credit.consumed(chunk.byteLength);
    } else if (this.#state === "open") return;
    if (this.#state === "whole" && this.#held.byteLength === 0) {
      this.#state = "over";
      this.#controller?.close();
    }
    this.#wanted = undefined;
    wanted();
  }

  #forget(): void {
    this.#state = "over";
    this.#held.clear();
    this.#wanted?.();
    this.#wanted = undefined;
  }
}
