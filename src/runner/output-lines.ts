/**
 * Cuts what a program writes into lines for the log. A line is bytes: programs write what they like, and whether it is
 * UTF-8 is for the reader of the log. Holds one unfinished line and never more.
 */

/** Longer lines are cut: the rest of the line is dropped and counted. */
export const lineBytesMax = 16 * 1024;

/** Takes a line without its line end. False: it was dropped. The bytes are only good during the call. */
export type TakeLine = (line: Uint8Array, cut: boolean) => boolean;

export class OutputLines {
  /** Bytes that reached no log: of cut lines, and of lines that were not taken. */
  bytesDropped = 0;
  readonly #take: TakeLine;
  #open: Buffer | undefined;
  #skipping = false;

  constructor(take: TakeLine) {
    this.#take = take;
  }

  /** Bytes as they came; they may be overwritten after the call. */
  push(bytes: Uint8Array): void {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(10, start);
      if (end < 0) break;
      this.#finish(bytes.subarray(start, end));
      start = end + 1;
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start));
  }

  /** Nothing more comes: a last line without its line end is a line too. */
  end(): void {
    if (this.#open !== undefined) this.#finish(new Uint8Array(0));
    this.#skipping = false;
  }

  #finish(tail: Uint8Array): void {
    if (this.#skipping) {
      this.#skipping = false;
      this.bytesDropped += tail.length;
      return;
    }
    const open = this.#open;
    this.#open = undefined;
    this.#emit(open === undefined ? tail : Buffer.concat([open, tail]));
  }

  #keep(tail: Uint8Array): void {
    if (this.#skipping) {
      this.bytesDropped += tail.length;
      return;
    }
    const line = this.#open === undefined ? Buffer.from(tail) : Buffer.concat([this.#open, tail]);
    this.#open = line.length <= lineBytesMax ? line : undefined;
    if (this.#open !== undefined) return;
    this.#skipping = true;
    this.#emit(line);
  }

  #emit(line: Uint8Array): void {
    const cut = line.length > lineBytesMax;
    const text = cut ? line.subarray(0, lineBytesMax) : line[line.length - 1] === 13 ? line.subarray(0, -1) : line;
    if (cut) this.bytesDropped += line.length - lineBytesMax;
    if (text.length > 0 && !this.#take(text, cut)) this.bytesDropped += text.length;
  }
}
