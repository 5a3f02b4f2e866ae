/**
 * Cuts what a client of a listener sends into whole lines. What is whole is handed on as it came, many lines at once and
 * without a copy; what is left of a line is kept until its end comes, up to the limit of a line.
 */

const lineFeed = 10;
const carriageReturn = 13;
const nothing = Buffer.alloc(0);

export class LineCutter {
  /** Bytes of a line without its end, "\n" or "\r\n". */
  lineBytesMax: number;
  /** Lines in what the last `push` or `end` returned. */
  lines = 0;
  /** A line was longer than it may be; nothing can be cut any more. What `push` returned are the lines before it. */
  tooLong = false;

  #kept = nothing;
  #keptBytes = 0;

  constructor(lineBytesMax: number) {
    this.lineBytesMax = lineBytesMax;
  }

  /** Whether a line has begun that has not ended. */
  get isWithinLine(): boolean {
    return this.#keptBytes > 0;
  }

  /** Takes what came, and returns the lines that are whole by it, each with its "\n"; undefined: none is. */
  push(chunk: Buffer): Buffer | undefined {
    this.lines = 0;
    const end = chunk.lastIndexOf(lineFeed) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return undefined;
    }
    const whole = this.#scan(this.#withKept(end === chunk.length ? chunk : chunk.subarray(0, end)));
    if (!this.tooLong && end < chunk.length) this.#keep(chunk.subarray(end));
    return whole.length === 0 ? undefined : whole;
  }

  /** Nothing follows: what stands there without an end is a line too, and is returned with a "\n". */
  end(): Buffer | undefined {
    this.lines = 0;
    if (this.#keptBytes === 0) return undefined;
    this.lines = 1;
    return this.#withKept(Buffer.of(lineFeed));
  }

  /** Counts the lines, up to the first that is too long. */
  #scan(whole: Buffer): Buffer {
    let start = 0;
    for (let at = 0; at < whole.length; at++) {
      if (whole[at] !== lineFeed) continue;
      if (this.#exceeds(at - start, whole[at - 1])) {
        this.#giveUp();
        return whole.subarray(0, start);
      }
      this.lines++;
      start = at + 1;
    }
    return whole;
  }

  /** @param last the byte before the "\n": of a "\r\n" it does not count. */
  #exceeds(bytes: number, last: number | undefined): boolean {
    return bytes > this.lineBytesMax && (bytes > this.lineBytesMax + 1 || last !== carriageReturn);
  }

  #withKept(bytes: Buffer): Buffer {
    if (this.#keptBytes === 0) return bytes;
    const whole = Buffer.concat([this.#kept.subarray(0, this.#keptBytes), bytes]);
    this.#kept = nothing;
    this.#keptBytes = 0;
    return whole;
  }

  /** A copy: what came may be a small piece of a large buffer. */
  #keep(bytes: Buffer): void {
    const length = this.#keptBytes + bytes.length;
    if (this.#exceeds(length, bytes[bytes.length - 1])) {
      this.#giveUp();
      return;
    }
    if (length > this.#kept.length) {
      // Twice as much, so that a line which comes byte by byte is not copied for each.
      const wider = Buffer.allocUnsafeSlow(Math.min(Math.max(length, this.#kept.length * 2), this.lineBytesMax + 1));
      this.#kept.copy(wider, 0, 0, this.#keptBytes);
      this.#kept = wider;
    }
    bytes.copy(this.#kept, this.#keptBytes);
    this.#keptBytes = length;
  }

  #giveUp(): void {
    this.tooLong = true;
    this.#kept = nothing;
    this.#keptBytes = 0;
  }
}

/** How many lines end in these bytes. */
export function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === lineFeed) lines++;
  return lines;
}
