/**
 * Joins a program's connection with a sibling instance's reply socket: bytes go both ways as they come, and each side
 * is read no faster than the other takes.
 */
import type { Socket } from "bun";

/** The program's side, as much of a socket as is needed here. */
interface Side {
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  end(): void;
  terminate(): void;
}

/** One direction: what could not be written yet, and whether its source has ended. */
class Way {
  #rest: Uint8Array[] = [];
  #ended = false;

  /** Writes or keeps. False: the source should pause. */
  push(to: Side | undefined, bytes: Uint8Array): boolean {
    if (to === undefined || this.#rest.length > 0) {
      this.#rest.push(bytes);
      return false;
    }
    const written = to.write(bytes);
    if (written >= 0 && written < bytes.length) this.#rest.push(bytes.subarray(written));
    return this.#rest.length === 0;
  }

  /** The target takes more. True: nothing is kept. */
  flush(to: Side): boolean {
    for (let chunk = this.#rest.shift(); chunk !== undefined; chunk = this.#rest.shift()) {
      const written = to.write(chunk);
      if (written >= 0 && written < chunk.length) {
        this.#rest.unshift(chunk.subarray(Math.max(0, written)));
        return false;
      }
    }
    if (this.#ended) to.end();
    return true;
  }

  end(to: Side | undefined): void {
    this.#ended = true;
    if (to !== undefined && this.#rest.length === 0) to.end();
  }
}

export class Splice {
  readonly #program: Side;
  #sibling: Socket<undefined> | undefined;
  readonly #out = new Way();
  readonly #back = new Way();
  #closed = false;

  /** @param opening what the program has sent already. */
  constructor(program: Side, opening: Uint8Array) {
    this.#program = program;
    this.#out.push(undefined, opening);
  }

  async connect(path: string): Promise<void> {
    try {
      await Bun.connect({
        unix: path,
        allowHalfOpen: true,
        socket: {
          open: (socket) => {
            this.#sibling = socket;
            if (this.#closed) socket.terminate();
            else if (this.#out.flush(socket)) this.#program.resume();
          },
          data: (socket, chunk) => {
            if (!this.#back.push(this.#program, chunk)) socket.pause();
          },
          drain: (socket) => {
            if (this.#out.flush(socket)) this.#program.resume();
          },
          end: () => this.#back.end(this.#program),
          close: () => this.close(),
          error: () => this.close(),
        },
      });
    } catch {
      // It was there a moment ago: its host has just ended it. The program sees its connection closed.
      this.close();
    }
  }

  fromProgram(bytes: Uint8Array): void {
    if (!this.#out.push(this.#sibling, bytes)) this.#program.pause();
  }

  programWritable(): void {
    if (this.#back.flush(this.#program)) this.#sibling?.resume();
  }

  programEnded(): void {
    this.#out.end(this.#sibling);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sibling?.terminate();
    this.#program.end();
  }
}
