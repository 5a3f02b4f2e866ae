/**
 * A reply's body on its way to the client, as it comes. Holds what the link's window lets through, asks the instance for
 * more as the client takes it, and breaks the connection when the reply breaks off: a client never takes half for whole.
 */
export interface ReplyStreamEvents {
  /** The client has taken so many bytes. */
  consumed(bytes: number): void;
  /** The client left before the end. */
  cancelled(): void;
  /** All was taken. */
  finished(): void;
}

export class ReplyStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #events: ReplyStreamEvents;
  readonly #chunks: Uint8Array[] = [];
  #wanted: (() => void) | undefined;
  #ended = false;
  #broken = false;

  constructor(events: ReplyStreamEvents) {
    this.#events = events;
    // A pull source with no queue of its own; Bun's "direct" streams buffer without bound.
    this.readable = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          if (this.#ended && this.#chunks.length === 0) return;
          this.#chunks.length = 0;
          this.#events.cancelled();
        },
      },
      { highWaterMark: 0 },
    );
  }

  push(chunk: Uint8Array, last: boolean): void {
    if (chunk.byteLength > 0) this.#chunks.push(chunk);
    if (last) this.#ended = true;
    this.#wake();
  }

  /** Breaks the response off. */
  breakOff(): void {
    this.#broken = true;
    this.#wake();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#chunks.length === 0 && !this.#ended && !this.#broken) {
      await new Promise<void>((resolve) => (this.#wanted = resolve));
    }
    const chunk = this.#chunks.shift();
    if (this.#broken) controller.error();
    else if (chunk !== undefined) {
      controller.enqueue(chunk);
      this.#events.consumed(chunk.byteLength);
    } else {
      controller.close();
      this.#events.finished();
    }
  }
}
