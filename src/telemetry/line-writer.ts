/**
 * Writes lines to a file descriptor without ever holding up who writes them: lines are gathered in memory and written by
 * the thread pool, one write at a time. A reader that stalls or a disk that is full makes lines wait up to a bound;
 * beyond it they are dropped and counted, and the count is told once writing works again.
 */
import { constants, fstatSync, openSync, write } from "node:fs";
import type { LineBytes } from "./json-line.ts";

export interface LineWriterOptions {
  readonly fd: number;
  /** How long a line may wait for others to be written with it. Default 200 ms. */
  readonly flushMs?: number;
  /** Bytes that may wait. Default 4 MiB. */
  readonly waitingBytesMax?: number;
  /** The line that tells of dropped ones, without its line end. */
  readonly describeDropped: (count: number) => string;
}

/** A chunk is written once it holds this much; a line takes up to three bytes a UTF-16 unit. */
const chunkBytes = 64 * 1024;
/** After a full pipe, and after other failures (a full disk). */
const retryFullMs = 20;
const retryFailedMs = 500;

const lineEnd = Buffer.from("\n");

type State = "idle" | "writing" | "retrying" | "ended";

export class LineWriter implements AsyncDisposable {
  readonly #fd: number;
  readonly #flushMs: number;
  readonly #waitingBytesMax: number;
  readonly #describeDropped: (count: number) => string;
  /** Lines that no chunk in the queue holds yet. */
  #open: Buffer = Buffer.allocUnsafeSlow(chunkBytes);
  #openBytes = 0;
  /** A chunk that was written and can be filled again. */
  #spare: Buffer | undefined;
  /** Chunks to be written; of the first, `#written` bytes are. */
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #written = 0;
  #state: State = "idle";
  #flushTimer: Timer | undefined;
  #dropped = 0;
  #onDrained: (() => void) | undefined;

  constructor({ fd, flushMs = 200, waitingBytesMax = 4 * 2 ** 20, describeDropped }: LineWriterOptions) {
    this.#fd = reopenUnblocking(fd);
    this.#flushMs = flushMs;
    this.#waitingBytesMax = waitingBytesMax;
    this.#describeDropped = describeDropped;
  }

  /** Lines dropped that have not been told of yet. */
  get droppedCount(): number {
    return this.#dropped;
  }

  /**
   * Adds a line, which has no line end yet. Never blocks, never throws. A line of low importance is dropped already when
   * three quarters of the bound are taken, so that a flood of such lines leaves room for the others.
   */
  append(line: string | LineBytes, importance: "high" | "low" = "high"): void {
    if (this.#state === "ended") return;
    const bytesMax = importance === "low" ? this.#waitingBytesMax * 0.75 : this.#waitingBytesMax;
    if (this.#queuedBytes + this.#openBytes + line.length > bytesMax) {
      this.#dropped += 1;
      return;
    }
    this.#put(line);
    if (this.#openBytes >= chunkBytes / 2 && this.#state === "idle") this.#flush();
    else this.#armFlush();
  }

  /** Writes what waits, for `limitMs` at the most, and takes no more lines. */
  async close(limitMs = 1000): Promise<void> {
    if (this.#state === "ended") return;
    const drained = Promise.withResolvers<void>();
    this.#onDrained = drained.resolve;
    this.#tellDropped();
    this.#flush();
    const timer = setTimeout(drained.resolve, limitMs);
    await drained.promise;
    clearTimeout(timer);
    this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #put(line: string | LineBytes): void {
    if (typeof line !== "string") return this.#putBytes(line);
    const room = chunkBytes - this.#openBytes;
    if (line.length * 3 + 1 > room) this.#seal();
    if (line.length * 3 + 1 > chunkBytes) return this.#enqueue(Buffer.from(`${line}\n`));
    this.#openBytes += this.#open.write(line, this.#openBytes);
    this.#open[this.#openBytes] = 0x0a;
    this.#openBytes += 1;
  }

  #putBytes({ bytes, length }: LineBytes): void {
    if (length + 1 > chunkBytes - this.#openBytes) this.#seal();
    if (length + 1 > chunkBytes) return this.#enqueue(Buffer.concat([bytes.subarray(0, length), lineEnd]));
    bytes.copy(this.#open, this.#openBytes, 0, length);
    this.#open[this.#openBytes + length] = 0x0a;
    this.#openBytes += length + 1;
  }

  #enqueue(chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
  }

  #seal(): void {
    if (this.#openBytes === 0) return;
    this.#enqueue(this.#open.subarray(0, this.#openBytes));
    this.#open = this.#spare ?? Buffer.allocUnsafeSlow(chunkBytes);
    this.#spare = undefined;
    this.#openBytes = 0;
  }

  #onFlushTimer(): void {
    this.#flushTimer = undefined;
    this.#flush();
  }

  /** Starts writing, unless a write is under way, after which what waits is written anyway. */
  #flush(): void {
    if (this.#state !== "idle") return;
    if (this.#queue.length === 0) this.#seal();
    this.#writeNext();
  }

  #writeNext(): void {
    const chunk = this.#queue[0];
    if (chunk === undefined) return this.#onDrained?.();
    this.#state = "writing";
    write(this.#fd, chunk, this.#written, chunk.length - this.#written, null, (error, count) => {
      if (this.#state === "ended") return;
      this.#state = "idle";
      if (error) this.#onFailed(error);
      else this.#onWritten(chunk, count);
    });
  }

  #onWritten(chunk: Buffer, count: number): void {
    this.#written += count;
    if (this.#written === chunk.length) {
      this.#queue.shift();
      this.#queuedBytes -= chunk.length;
      this.#written = 0;
      if (chunk.buffer.byteLength === chunkBytes) this.#spare ??= Buffer.from(chunk.buffer);
    }
    if (this.#queuedBytes < this.#waitingBytesMax / 2) this.#tellDropped();
    // Lines that came during the write wait for their timer, unless it has passed already, they are many, or it is the end.
    const due = this.#flushTimer === undefined || this.#openBytes >= chunkBytes / 2 || this.#onDrained !== undefined;
    if (this.#queue.length === 0 && due) this.#seal();
    this.#writeNext();
  }

  #onFailed(error: NodeJS.ErrnoException): void {
    // Nobody will ever read it.
    if (error.code === "EPIPE" || error.code === "EBADF" || error.code === "ECONNRESET") return this.#end();
    this.#state = "retrying";
    setTimeout(
      () => {
        if (this.#state !== "retrying") return;
        this.#state = "idle";
        this.#flush();
      },
      error.code === "EAGAIN" ? retryFullMs : retryFailedMs,
    ).unref();
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    const line = this.#describeDropped(this.#dropped);
    this.#dropped = 0;
    this.#put(line);
    this.#armFlush();
  }

  #armFlush(): void {
    this.#flushTimer ??= setTimeout(() => this.#onFlushTimer(), this.#flushMs).unref();
  }

  #end(): void {
    this.#state = "ended";
    clearTimeout(this.#flushTimer);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#openBytes = 0;
    this.#onDrained?.();
  }
}

/**
 * A pipe or terminal is opened once more, so that a full one answers EAGAIN at once and no thread waits in it. It is a
 * description of our own, because O_NONBLOCK on the given one would change it for every process that shares it. Files
 * are not (their position is shared on purpose) and sockets cannot be; there a write may hold one thread of the pool.
 */
function reopenUnblocking(fd: number): number {
  try {
    const kind = fstatSync(fd);
    if (!kind.isFIFO() && !kind.isCharacterDevice()) return fd;
    return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // No such descriptor, or not ours to open (a terminal of another user): writing to it tells the rest.
    return fd;
  }
}
