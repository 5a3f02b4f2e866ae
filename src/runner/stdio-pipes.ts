/**
 * What programs read their payload from and write their output to: named pipes, kept and used by one program after
 * another. `Bun.spawn`'s own "pipe" is a new socket pair each time, which costs 35 µs of CPU a program (a named pipe 5)
 * and is not a pipe: `echo x > /dev/stderr` in a shell script fails on it with ENXIO, as reading /dev/stdin does.
 *
 * Two ends that are opened anew for each program tell whether anything still holds a pipe: an output without a writer
 * reads as ended, an input without a reader cannot be opened for writing. A pipe that is still held when its program's
 * tree is gone (something escaped it) is never used again, so that one exchange cannot read or write another's.
 */
import { closeSync, constants, mkdirSync, openSync, readSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeNamedPipe } from "../sandbox/kernel-pipe.ts";

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** Pipes are made so many at a time: each making is a program run. */
const batchSize = 24;

/** Takes output as it was read; the bytes are only good during the call. */
export type TakeOutput = (bytes: Uint8Array) => void;

/** One read takes at most what a pipe holds. */
const readBuffer = Buffer.alloc(64 * 1024);
/** A program that fills more than this between two reads has to be read again at once. */
const floodBytes = 16 * 1024;

/** Named pipes in a folder of their own, 0700. */
export class PipeFolder {
  readonly #folder: string;
  #unused: string[] = [];
  #made = 0;

  /** @throws Error when the folder or the first pipes cannot be made. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#makeBatch();
  }

  /** The path of a pipe that nobody has opened. */
  take(): string {
    if (this.#unused.length === 0) this.#makeBatch();
    const path = this.#unused.pop();
    if (path === undefined) throw new Error(`Cannot make a pipe in "${this.#folder}"`);
    return path;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #makeBatch(): void {
    const paths = Array.from({ length: batchSize }, () => join(this.#folder, `${this.#made++}`));
    makeNamedPipes(paths);
    this.#unused = paths;
  }
}

/** Mode 666: programs of other users may open /dev/stderr again; the folder keeps everybody else out. */
function makeNamedPipes(paths: readonly string[]): void {
  const mkfifo = Bun.which("mkfifo");
  // A root filesystem of the user's need not have it.
  if (mkfifo === null) return paths.forEach(makeNamedPipe);
  const run = Bun.spawnSync([mkfifo, "-m", "666", ...paths], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  if (run.exitCode !== 0) throw new Error(`Cannot make pipes: ${run.stderr.toString().trim()}`);
}

/** A pipe that programs write to, one after another. */
export class OutputPipe {
  readonly #path: string;
  readonly #reader: number;

  constructor(path: string) {
    this.#path = path;
    this.#reader = openSync(path, O_RDONLY | O_NONBLOCK);
  }

  /** A descriptor for the next program's output; the caller closes it after the spawn. */
  openForProgram(): number {
    return openSync(this.#path, O_WRONLY);
  }

  /**
   * Reads what is there.
   * @returns "flood": there is likely more at once; "open": nothing more now; "ended": nobody holds the other end.
   */
  read(take: TakeOutput): "flood" | "open" | "ended" {
    const bytes = this.#readOnce();
    if (bytes === 0) return "ended";
    if (bytes < 0) return "open";
    take(readBuffer.subarray(0, bytes));
    return bytes >= floodBytes ? "flood" : "open";
  }

  close(): void {
    closeSync(this.#reader);
    unlinkSync(this.#path);
  }

  #readOnce(): number {
    try {
      return readSync(this.#reader, readBuffer, 0, readBuffer.length, null);
    } catch {
      // EAGAIN: empty, and something holds the other end.
      return -1;
    }
  }
}

/** A pipe that programs read their payload from, one after another. */
export class InputPipe {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Descriptors for the next program: its end, and ours, which does not block. */
  open(): { readonly program: number; readonly writer: number } {
    // Opened for both first: opening one end alone would wait for the other.
    const both = openSync(this.#path, O_RDWR | O_NONBLOCK);
    try {
      const program = openSync(this.#path, O_RDONLY);
      const writer = openSync(this.#path, O_WRONLY | O_NONBLOCK);
      return { program, writer };
    } finally {
      closeSync(both);
    }
  }

  /** Whether some process still has the reading end. */
  isHeld(): boolean {
    try {
      closeSync(openSync(this.#path, O_WRONLY | O_NONBLOCK));
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    unlinkSync(this.#path);
  }
}

/** Writes what fits without waiting. Returns the bytes written; -1: nobody reads any more. */
export function writeWithoutWaiting(file: number, bytes: Uint8Array): number {
  try {
    return writeSync(file, bytes, 0, bytes.byteLength);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EAGAIN" ? 0 : -1;
  }
}

/** The pipes that are free, by kind. */
export class StdioPipes {
  readonly #folder: PipeFolder;
  readonly #outputs: OutputPipe[] = [];
  readonly #inputs: InputPipe[] = [];

  constructor(folder: string) {
    this.#folder = new PipeFolder(folder);
  }

  takeOutput(): OutputPipe {
    return this.#outputs.pop() ?? new OutputPipe(this.#folder.take());
  }

  takeInput(): InputPipe {
    return this.#inputs.pop() ?? new InputPipe(this.#folder.take());
  }

  /** Gives a pipe back. `ended`: its last read said that nobody holds it. */
  giveOutput(pipe: OutputPipe, ended: boolean): void {
    if (ended) this.#outputs.push(pipe);
    else pipe.close();
  }

  giveInput(pipe: InputPipe): void {
    if (pipe.isHeld()) pipe.close();
    else this.#inputs.push(pipe);
  }

  close(): void {
    for (const pipe of this.#outputs.splice(0)) pipe.close();
    this.#folder.close();
  }
}
