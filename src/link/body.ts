/**
 * Bodies that are larger than a frame, with credit: a sender may have 256 KiB of an exchange's body under way that the
 * receiver has not consumed, so that one slow reader neither stops the others nor fills memory (as in HTTP/2, RFC 9113 §5.2).
 */
import type { Channel } from "./channel.ts";
import { dataBytesMax, type FrameType, headText } from "./frames.ts";

/** Bytes of one body that may be under way, each direction. */
export const windowBytes = 256 * 1024;

/** The sending half of an exchange's body. Holds at most what the last `write` gave it. */
export class OutgoingBody {
  readonly #channel: Channel;
  readonly #exchange: number;
  #credit = windowBytes;
  #rest: Uint8Array | undefined;
  #last = false;
  /** Called when a `write` that returned false has gone. */
  onWritable: (() => void) | undefined;

  constructor(channel: Channel, exchange: number) {
    this.#channel = channel;
    this.#exchange = exchange;
  }

  /** Whether some of the last `write` waits for credit. */
  get waits(): boolean {
    return this.#rest !== undefined;
  }

  /** Sends the frame that opens the body (a request or a reply) with as much of it as fits beside the head. As `write` else. */
  open(type: FrameType, head: object, chunk: Uint8Array, last: boolean): boolean {
    return this.openText(type, headText(head), chunk, last);
  }

  /** As `open`, with a head that is JSON text already. */
  openText(type: FrameType, head: string, chunk: Uint8Array, last: boolean): boolean {
    const inline = Math.min(chunk.byteLength, dataBytesMax);
    this.#credit -= inline;
    const whole = inline === chunk.byteLength;
    this.#channel.sendHead(type, this.#exchange, head, inline === 0 ? undefined : whole ? chunk : chunk.subarray(0, inline), whole && last);
    return whole || this.write(chunk.subarray(inline), last);
  }

  /** Sends a chunk. False: some of it waits for credit, and nothing may be written before `onWritable`. */
  write(chunk: Uint8Array, last: boolean): boolean {
    this.#rest = chunk;
    this.#last = last;
    return this.#send();
  }

  /** The receiver has consumed so many bytes more. */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#rest !== undefined && this.#send()) this.onWritable?.();
  }

  #send(): boolean {
    let rest = this.#rest;
    if (rest === undefined) return true;
    if (rest.byteLength === 0) {
      if (this.#last) this.#channel.send("data", this.#exchange, undefined, undefined, true);
      this.#rest = undefined;
      return true;
    }
    while (rest.byteLength > 0 && this.#credit > 0) {
      const bytes = Math.min(rest.byteLength, dataBytesMax, this.#credit);
      this.#credit -= bytes;
      this.#channel.send("data", this.#exchange, undefined, rest.subarray(0, bytes), this.#last && bytes === rest.byteLength);
      rest = rest.subarray(bytes);
    }
    this.#rest = rest.byteLength === 0 ? undefined : rest;
    return this.#rest === undefined;
  }
}

/** The receiving half's account: refuses more than was granted, and grants again by halves of a window. */
export class IncomingCredit {
  readonly #channel: Channel;
  readonly #exchange: number;
  #underWay = 0;
  #consumed = 0;

  constructor(channel: Channel, exchange: number) {
    this.#channel = channel;
    this.#exchange = exchange;
  }

  /** So many bytes came. False: more than the window allows, a violation. */
  received(bytes: number): boolean {
    this.#underWay += bytes;
    return this.#underWay <= windowBytes;
  }

  /** So many bytes need no memory any more. */
  consumed(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < windowBytes / 2) return;
    this.#underWay -= this.#consumed;
    this.#channel.send("window", this.#exchange, { bytes: this.#consumed });
    this.#consumed = 0;
  }
}
