/** A reply whose body is a stream: read at the pace at which the host takes it. */
import { ByteQueue } from "../core/byte-queue.ts";
import type { OutgoingBody } from "../link/body.ts";
import { dataBytesMax } from "../link/frames.ts";

export interface ReplyStreamEvents {
  /** All of it has gone to the host. */
  done(): void;
  /** The stream failed, or gave something else than bytes. */
  failed(error: unknown): void;
}

/** What of a stream is there at once. */
export interface ReadAhead {
  readonly chunk: Uint8Array;
  /** It was all. */
  readonly whole: boolean;
}

/** Microtasks until a stream of a text that was read knows that it is over. Measured: three. */
const endTurnsMax = 4;
const nothing = new Uint8Array(0);

export class ReplyStream {
  readonly #reader: ManyReader;
  readonly #events: ReplyStreamEvents;
  /** What has been asked for. */
  #reading: ReadResult | Promise<ReadResult> | undefined;
  #body: OutgoingBody | undefined;
  #over = false;

  /** @throws TypeError when somebody reads the stream already. */
  constructor(stream: ReadableStream<unknown>, events: ReplyStreamEvents) {
    this.#reader = readerOf(stream);
    this.#events = events;
  }

  /**
   * What the stream has without waiting for anything but its own turns: a Response that was made of text has all of it, and is
   * then a reply like others.
   * @throws what the stream fails with at once.
   */
  async readAhead(): Promise<ReadAhead> {
    const first = this.#read();
    if (first instanceof Promise || first.value.length > 1) {
      this.#reading = first;
      return { chunk: nothing, whole: false };
    }
    if (first.done) return { chunk: nothing, whole: true };
    const chunk = bytesOf(first.value[0]);
    const second = this.#read();
    this.#reading = second;
    for (let turn = 0; turn < endTurnsMax && second instanceof Promise && Bun.peek.status(second) === "pending"; turn++)
      await Promise.resolve();
    const end = second instanceof Promise ? Bun.peek(second) : second;
    return { chunk, whole: !(end instanceof Promise) && end.done && end.value.length === 0 };
  }

  /** Sends the rest, until the stream's end, its failure, or `cancel`. @param body opened, with what was read ahead. */
  async run(body: OutgoingBody): Promise<void> {
    this.#body = body;
    if (body.waits) await this.#writable();
    try {
      while (!this.#over && (await this.#sendNext(body)));
    } catch (error) {
      if (!this.#over) this.#fail(error);
    }
    if (this.#over) return;
    this.#over = true;
    body.write(nothing, true);
    this.#events.done();
  }

  /** Nobody wants the rest of it. */
  cancel(reason: unknown): void {
    this.#over = true;
    this.#body?.onWritable?.();
    // What its source makes of it is its own affair.
    this.#reader.cancel(reason).catch(() => {});
  }

  #fail(error: unknown): void {
    this.cancel(error);
    this.#events.failed(error);
  }

  /** False: nothing follows. */
  async #sendNext(body: OutgoingBody): Promise<boolean> {
    const { value, done } = await (this.#reading ?? this.#read());
    this.#reading = undefined;
    for (const bytes of together(value)) {
      if (this.#over) return false;
      if (!body.write(bytes, false)) await this.#writable();
    }
    return !done;
  }

  #read(): ReadResult | Promise<ReadResult> {
    return this.#reader.readMany();
  }

  #writable(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#body !== undefined) this.#body.onWritable = resolve;
    return promise;
  }
}

interface ReadResult {
  readonly value: readonly unknown[];
  readonly done: boolean;
}

/** Bun's own way of reading gives what is there in the same turn, which no reader of the standard does. */
interface ManyReader {
  readMany(): ReadResult | Promise<ReadResult>;
  cancel(reason: unknown): Promise<void>;
}

function readerOf(stream: ReadableStream<unknown>): ManyReader {
  return stream.getReader() as unknown as ManyReader;
}

/** What came at once goes at once: a stream that gives a thousand small chunks is not worth a thousand frames. */
function* together(chunks: readonly unknown[]): Generator<Uint8Array> {
  const held = new ByteQueue();
  for (const chunk of chunks) {
    held.push(bytesOf(chunk));
    if (held.byteLength >= dataBytesMax) yield held.take();
  }
  if (held.byteLength > 0) yield held.take();
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError(`A reply's stream must give bytes or text, not ${chunk === null ? "null" : `a value of type ${typeof chunk}`}`);
}
