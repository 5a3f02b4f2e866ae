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

/** Microtasks until a stream of a text that was read knows that it is over, or an async generator gives what it has. Measured: three. */
const turnsMax = 4;
/** Of what is there at once, so much is gathered. */
const aheadBytesMax = 64 * 1024;
const readsMax = 16;
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
    let chunk: Uint8Array = nothing;
    for (let reads = 0; reads < readsMax && chunk.byteLength < aheadBytesMax; reads++) {
      const result = await this.#readSoon(chunk.byteLength > 0);
      if (result === undefined) break;
      if (result.value.length > 0) chunk = joined(chunk, result.value);
      if (result.done) return { chunk, whole: true };
    }
    return { chunk, whole: false };
  }

  /** Undefined: it is kept for `run`, because it takes longer. @param failLater a failure is kept too. */
  async #readSoon(failLater: boolean): Promise<ReadResult | undefined> {
    const reading = this.#readSafely();
    if (!(reading instanceof Promise)) return reading;
    for (let turn = 0; turn < turnsMax && Bun.peek.status(reading) === "pending"; turn++) await Promise.resolve();
    const status = Bun.peek.status(reading);
    if (status === "fulfilled" || (status === "rejected" && !failLater)) return await reading;
    this.#reading = reading;
    // Until `run` awaits it, nobody does.
    reading.catch(() => {});
    return undefined;
  }

  /** A stream that has failed throws at once. */
  #readSafely(): ReadResult | Promise<ReadResult> {
    try {
      return this.#read();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error), { cause: error }));
    }
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

function joined(before: Uint8Array, chunks: readonly unknown[]): Uint8Array {
  const [only] = chunks;
  return before.byteLength === 0 && chunks.length === 1 ? bytesOf(only) : Buffer.concat([before, ...chunks.map(bytesOf)]);
}
