/** A reply whose body is a stream: read at the pace at which the host takes it. */
import type { OutgoingBody } from "../link/body.ts";

export interface ReplyStreamEvents {
  /** All of it has gone to the host. */
  done(): void;
  /** The stream failed, or gave something else than bytes. */
  failed(error: unknown): void;
}

const nothing = new Uint8Array(0);

export class ReplyStream {
  readonly #body: OutgoingBody;
  readonly #reader: ReturnType<typeof readerOf>;
  readonly #events: ReplyStreamEvents;
  #over = false;

  /** @param body opened already, with the reply's head. */
  constructor(body: OutgoingBody, stream: ReadableStream<unknown>, events: ReplyStreamEvents) {
    this.#body = body;
    this.#reader = readerOf(stream);
    this.#events = events;
  }

  /** Until the stream's end, its failure, or `cancel`. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (this.#over) return;
        if (done) break;
        if (!this.#body.write(bytesOf(value), false)) await this.#writable();
        if (this.#over) return;
      }
    } catch (error) {
      if (!this.#over) this.#fail(error);
      return;
    }
    this.#over = true;
    this.#body.write(nothing, true);
    this.#events.done();
  }

  /** Nobody wants the rest of it. */
  cancel(reason: unknown): void {
    this.#over = true;
    this.#body.onWritable?.();
    // What its source makes of it is its own affair.
    this.#reader.cancel(reason).catch(() => {});
  }

  #fail(error: unknown): void {
    this.cancel(error);
    this.#events.failed(error);
  }

  #writable(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#body.onWritable = resolve;
    return promise;
  }
}

function readerOf(stream: ReadableStream<unknown>) {
  return stream.getReader();
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError(`A reply's stream must give bytes or text, not ${chunk === null ? "null" : `a value of type ${typeof chunk}`}`);
}
