/**
 * What functions say on their way to the host's log: `ctx.log`, `console.*`, what they write to stdout and stderr, and what
 * they throw. Lines are dropped, and counted, while the host is far behind: a function that logs without end fills no memory.
 */
import { windowBytes } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";
import { headText } from "../link/frames.ts";
import type { LogHead } from "../link/messages.ts";
import { lineBytesMax } from "./output-lines.ts";

export type LogLevel = NonNullable<LogHead["level"]>;
export type LogFields = NonNullable<LogHead["fields"]>;

/** Whose line it is. */
export interface LogSource {
  readonly requestId: string;
  readonly operation: string;
  /** Of the exchange while it is open; 0 when it is over. */
  readonly logNumber: number;
}

/** Lines are dropped while so many bytes wait for the host. */
export const logBacklogBytesMax = 4 * windowBytes;
/** Characters of a line's fields as JSON: they are in a frame's head, where a character may take six bytes. */
export const fieldsLengthMax = 8 * 1024;

export class FunctionLog {
  readonly #channel: Channel;
  #dropped = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** A message of `ctx.log` or `console.*`, of any number of lines. Over 16 KiB it is cut. */
  message(source: LogSource | undefined, level: LogLevel, text: string, fields?: LogFields): void {
    const bytes = Buffer.from(text);
    const cut = bytes.length > lineBytesMax;
    const head: LogHead = { ...sourceOf(source), stream: "log", level, ...loggable(fields), ...(cut ? { cut } : {}) };
    this.#send(source, head, cut ? wholeCharacters(bytes) : bytes);
  }

  /** A line that was written to stdout or stderr. False: it was dropped. */
  line(source: LogSource | undefined, stream: "stdout" | "stderr", line: Uint8Array, cut: boolean): boolean {
    return this.#send(source, { ...sourceOf(source), stream, ...(cut ? { cut } : {}) }, line);
  }

  #send(source: LogSource | undefined, head: LogHead, text: Uint8Array): boolean {
    if (this.#channel.pendingBytes > logBacklogBytesMax) {
      this.#dropped++;
      return false;
    }
    if (this.#dropped > 0) this.#tellDropped();
    this.#channel.send("log", source?.logNumber ?? 0, head, text);
    return true;
  }

  #tellDropped(): void {
    const words = `${this.#dropped} log lines of functions were dropped: they came faster than the host reads`;
    this.#dropped = 0;
    this.#channel.send("log", 0, { stream: "log", level: "warn" } satisfies LogHead, Buffer.from(words));
  }
}

function sourceOf(source: LogSource | undefined): Pick<LogHead, "id" | "operation"> {
  return source === undefined ? {} : { id: source.requestId, operation: source.operation };
}

/** Fields that can be sent: what is no JSON, or too much of it, is sent as text. */
function loggable(fields: LogFields | undefined): Pick<LogHead, "fields"> {
  if (fields === undefined) return {};
  let json: string | undefined;
  try {
    // The very text that is sent: with what latin-1 lacks escaped.
    json = headText(fields);
  } catch {
    // A BigInt, or an object within itself.
  }
  if (json !== undefined && json.length <= fieldsLengthMax) return { fields };
  return { fields: { fields: (json ?? Bun.inspect(fields)).slice(0, fieldsLengthMax) } };
}

/** The first 16 KiB, without a character that is cut in two. */
function wholeCharacters(bytes: Buffer): Buffer {
  let end = lineBytesMax;
  // UTF-8's continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
