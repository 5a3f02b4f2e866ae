/**
 * What a daemon says on its way to the host's log, and the last of it: what is told when it ends. Lines are dropped, and counted,
 * while the host is far behind: a daemon that writes without end neither waits nor fills memory.
 */
import type { Channel } from "../link/channel.ts";
import type { LogHead } from "../link/messages.ts";
import type { DaemonStream } from "./daemon-output.ts";
import { logBacklogBytesMax } from "./function-log.ts";

/** What log lines name as their operation. */
const operation = "service";
/** Characters and lines of its last words. */
const wordsLengthMax = 1500;
const wordsLinesMax = 12;

export class ServiceLog {
  readonly #channel: Channel;
  readonly #tails: Record<DaemonStream, string[]> = { stdout: [], stderr: [] };
  #dropped = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** A line that it wrote. False: it was dropped. */
  line(stream: DaemonStream, line: Uint8Array, cut: boolean): boolean {
    this.#keep(stream, line);
    if (this.#channel.pendingBytes > logBacklogBytesMax) {
      this.#dropped++;
      return false;
    }
    if (this.#dropped > 0) this.#tellDropped();
    this.#channel.send("log", 0, { operation, stream, ...(cut ? { cut } : {}) } satisfies LogHead, line);
    return true;
  }

  /** Something about it that its author should know. */
  warn(text: string): void {
    this.#channel.send("log", 0, { operation, stream: "log", level: "warn" } satisfies LogHead, Buffer.from(text));
  }

  /** The last lines that it wrote: to stderr, where it wrote some; "": it wrote nothing. */
  lastWords(): string {
    const { stdout, stderr } = this.#tails;
    const lines = stderr.length > 0 ? stderr : stdout;
    return lines.join("\n").slice(-wordsLengthMax);
  }

  /** It is started once more: what it said before is no word of the new one. */
  forget(): void {
    this.#tails.stdout = [];
    this.#tails.stderr = [];
  }

  /** Nothing follows. */
  end(): void {
    if (this.#dropped > 0) this.#tellDropped();
  }

  #keep(stream: DaemonStream, line: Uint8Array): void {
    const tail = this.#tails[stream];
    tail.push(Buffer.from(line.buffer, line.byteOffset, Math.min(line.byteLength, wordsLengthMax)).toString());
    if (tail.length > wordsLinesMax) tail.shift();
  }

  #tellDropped(): void {
    const lines = this.#dropped;
    this.#dropped = 0;
    this.warn(`${lines} lines of the service were dropped: they came faster than the host reads`);
  }
}
