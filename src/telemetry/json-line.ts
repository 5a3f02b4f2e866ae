/**
 * A line of JSON that is put together byte by byte. A text made of thirty pieces would be gathered once more before it is encoded,
 * for every request.
 */
import { jsonNumber, jsonText } from "./escape.ts";

/** A line without its end: the first `length` of `bytes`. */
export interface LineBytes {
  readonly bytes: Buffer;
  readonly length: number;
}

/** What stands for itself in a JSON string: printable ASCII but quotes and backslashes. */
const plain = Uint8Array.from({ length: 256 }, (_, code) => (code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c ? 1 : 0));
const quote = 0x22;
const point = 0x2e;
const zero = 0x30;
/** For one unit of a text, at the most. */
const utf8BytesMax = 3;

/** One is enough for all lines: what it holds is written elsewhere before the next line is begun. */
export class JsonLine implements LineBytes {
  bytes: Buffer = Buffer.allocUnsafe(4 * 1024);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  /** @param text ASCII that is JSON already. */
  raw(text: string): void {
    const at = this.#room(text.length);
    for (let index = 0; index < text.length; index++) this.bytes[at + index] = text.charCodeAt(index);
  }

  /** @param json bytes that are JSON already. */
  rawBytes(json: Uint8Array): void {
    this.bytes.set(json, this.#room(json.length));
  }

  /** A string, in which what is unsafe in a log is an escape. */
  string(text: string): void {
    const start = this.length;
    const at = this.#room(text.length + 2) + 1;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (plain[code] !== 1) {
        this.length = start;
        return this.#escaped(text);
      }
      this.bytes[at + index] = code;
    }
    this.bytes[start] = this.bytes[at + text.length] = quote;
  }

  /** A number of thousandths as a number of wholes: 12346 → 12.346. */
  thousandths(count: number): void {
    // Beyond these the parts are no small integers; a clock that was set back makes negative ones.
    if (!(count >= 0 && count < 2 ** 31)) return this.raw(jsonNumber(count));
    const whole = (count / 1000) | 0;
    const rest = count - whole * 1000;
    this.#digits(whole);
    if (rest === 0) return;
    const digits = rest % 100 === 0 ? 1 : rest % 10 === 0 ? 2 : 3;
    const at = this.#room(digits + 1);
    this.bytes[at] = point;
    this.bytes[at + 1] = zero + ((rest / 100) | 0);
    if (digits > 1) this.bytes[at + 2] = zero + (((rest / 10) | 0) % 10);
    if (digits > 2) this.bytes[at + 3] = zero + (rest % 10);
  }

  /** A number as JSON has it. */
  number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) this.#digits(value);
    else this.raw(JSON.stringify(value));
  }

  #digits(whole: number): void {
    let length = 1;
    for (let rest = (whole / 10) | 0; rest > 0; rest = (rest / 10) | 0) length++;
    const at = this.#room(length);
    let rest = whole;
    for (let index = length - 1; index >= 0; index--) {
      this.bytes[at + index] = zero + (rest % 10);
      rest = (rest / 10) | 0;
    }
  }

  #escaped(text: string): void {
    const json = jsonText(text);
    const at = this.#room(json.length * utf8BytesMax);
    this.length = at + this.bytes.write(json, at);
  }

  /** Makes room for so many bytes more, which are the line's from now on. @returns where they start. */
  #room(bytes: number): number {
    const at = this.length;
    this.length = at + bytes;
    if (this.length > this.bytes.length) {
      const wider = Buffer.allocUnsafe(Math.max(this.length, 2 * this.bytes.length));
      this.bytes.copy(wider, 0, 0, at);
      this.bytes = wider;
    }
    return at;
  }
}
