/**
 * What a daemon writes: pipes that are read as it writes, cut into lines. Pipes of the kernel's, because a daemon may open /dev/stdout
 * again (nginx does), which fails on the socket pairs of `Bun.spawn`'s own "pipe"; these take their place where there are none.
 */
import { closeSync } from "node:fs";
import { makePipe, type Pipe } from "../sandbox/kernel-pipe.ts";
import { OutputLines, type TakeLine } from "./output-lines.ts";

export const daemonStreams = ["stdout", "stderr"] as const;
export type DaemonStream = (typeof daemonStreams)[number];

/** For how long what is still in a pipe is read when the daemon has ended: something that it left may hold the other end. */
const restMs = 50;

interface OutputEnd {
  readonly reader: ReadableStream<Uint8Array>;
  readonly writer: number;
}

/** The pipes of one start of a daemon. */
export class DaemonOutput {
  readonly #ends = openPipes();
  readonly #readers: { cancel(): Promise<void> }[] = [];
  #read: Promise<unknown> = Promise.resolve();

  /** What `Bun.spawn` is given as stdout and stderr. */
  get stdio(): readonly [number | "pipe", number | "pipe"] {
    return this.#ends === undefined ? ["pipe", "pipe"] : [this.#ends.stdout.writer, this.#ends.stderr.writer];
  }

  /** The spawn is over, whether it succeeded or not. */
  spawned(): void {
    for (const stream of daemonStreams) if (this.#ends !== undefined) closeSync(this.#ends[stream].writer);
  }

  /**
   * Reads on, until nobody can write any more.
   * @param own the spawned process's own streams, where `stdio` asked for them.
   */
  follow(own: Readonly<Record<DaemonStream, unknown>>, take: Readonly<Record<DaemonStream, TakeLine>>): void {
    const reading = daemonStreams.map(async (stream) => {
      const source = this.#ends === undefined ? own[stream] : this.#ends[stream].reader;
      if (source instanceof ReadableStream) await this.#readLines(source as ReadableStream<Uint8Array>, take[stream]);
    });
    this.#read = Promise.all(reading);
  }

  /** Resolves when all that was written is told, or a moment has passed in which somebody else goes on holding the pipes. */
  async rest(): Promise<void> {
    await Promise.race([this.#read, Bun.sleep(restMs)]);
  }

  /** Reads no more. */
  async close(): Promise<void> {
    const ends = this.#ends;
    // Without readers no daemon was started.
    const sources = this.#readers.length > 0 || ends === undefined ? this.#readers : [ends.stdout.reader, ends.stderr.reader];
    await Promise.all(sources.map((source) => source.cancel().catch(() => {})));
  }

  async #readLines(stream: ReadableStream<Uint8Array>, take: TakeLine): Promise<void> {
    const lines = new OutputLines(take);
    const reader = stream.getReader();
    this.#readers.push(reader);
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) lines.push(read.value);
    } catch {
      // The pipe broke; what came is told.
    }
    lines.end();
  }
}

function openPipes(): Readonly<Record<DaemonStream, OutputEnd>> | undefined {
  const stdout = makePipe();
  if (stdout === undefined) return undefined;
  const stderr = makePipe();
  if (stderr !== undefined) return { stdout: endsOf(stdout), stderr: endsOf(stderr) };
  // No descriptor is left for the second one.
  for (const descriptor of [stdout.reader, stdout.writer]) closeSync(descriptor);
  return undefined;
}

function endsOf({ reader, writer }: Pipe): OutputEnd {
  return { reader: Bun.file(reader).stream(), writer };
}
