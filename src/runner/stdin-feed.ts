/**
 * Gives a program its payload on stdin: what the pipe holds at once (the usual case: nothing waits, nothing stays open),
 * and the rest as the program reads it. A program that does not read its payload, or closes stdin, is a normal program.
 */
import { closeSync } from "node:fs";
import type { FileSink } from "bun";
import { type InputPipe, writeWithoutWaiting } from "./stdio-pipes.ts";

export class StdinFeed {
  readonly #writer: number;
  readonly #consumed: (bytes: number) => void;
  readonly #waiting: Uint8Array[] = [];
  #sink: FileSink | undefined;
  #feeding = false;
  #state: "open" | "last-seen" | "closed" = "open";
  /** The program's end, to be passed to the spawn and then closed by `spawned`. */
  readonly program: number;

  /** @param consumed is told of bytes that need no memory any more. */
  constructor(pipe: InputPipe, consumed: (bytes: number) => void) {
    const ends = pipe.open();
    this.program = ends.program;
    this.#writer = ends.writer;
    this.#consumed = consumed;
  }

  /** The spawn is over, for better or worse: the program has its own copy of its end. */
  spawned(): void {
    closeSync(this.program);
  }

  /** Takes a chunk of the payload; it is kept until it was written. */
  write(chunk: Uint8Array, last: boolean): void {
    if (this.#state === "closed") return this.#consumed(chunk.byteLength);
    if (last) this.#state = "last-seen";
    const rest = this.#sink === undefined ? this.#writeAtOnce(chunk) : chunk;
    if (rest.byteLength > 0) this.#waiting.push(rest);
    if (this.#waiting.length > 0) {
      if (!this.#feeding) void this.#feed();
    } else if (last && !this.#feeding) {
      void this.#finish();
    }
  }

  /** Closes our end; what was not written is dropped. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = this.#feeding ? "last-seen" : "closed";
    this.#drop();
    // A write under way ends with EPIPE when the last reader has gone; the file is closed then.
    if (!this.#feeding) void this.#finish();
  }

  #writeAtOnce(chunk: Uint8Array): Uint8Array {
    if (chunk.byteLength === 0) return chunk;
    const written = writeWithoutWaiting(this.#writer, chunk);
    // Nobody reads any more: as good as read.
    const done = written < 0 ? chunk.byteLength : written;
    this.#consumed(done);
    return chunk.subarray(done);
  }

  async #feed(): Promise<void> {
    this.#feeding = true;
    try {
      const sink = (this.#sink ??= Bun.file(this.#writer).writer());
      for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift()) {
        try {
          await writeAll(sink, chunk);
        } finally {
          this.#consumed(chunk.byteLength);
        }
      }
    } catch {
      // EPIPE: the program closed its stdin or ended, which is not an error of the exchange.
      this.#state = "last-seen";
      this.#drop();
    }
    this.#feeding = false;
    if (this.#state !== "open") await this.#finish();
  }

  /** The sink has a descriptor of its own: the program sees the end when both are closed. */
  async #finish(): Promise<void> {
    this.#state = "closed";
    closeSync(this.#writer);
    try {
      await this.#sink?.end();
    } catch {
      // EPIPE again.
    }
  }

  #drop(): void {
    for (const chunk of this.#waiting.splice(0)) this.#consumed(chunk.byteLength);
  }
}

async function writeAll(sink: FileSink, chunk: Uint8Array): Promise<void> {
  await sink.write(chunk);
  await sink.flush();
}
