/**
 * The frames of the link: how they lie in bytes. Pure, so that it can be tested to the last bit; sockets are the
 * channel's. A frame is `u32 length of head and body, u32 exchange, u8 type, u8 flags, u16 length of head`, then the
 * head (JSON in latin-1), then the body (bytes). Numbers are little-endian. docs/link-protocol.md is normative.
 */

export const frameTypes = [
  "hello",
  "load",
  "loaded",
  "request",
  "reply",
  "data",
  "window",
  "reset",
  "verdict",
  "receipt",
  "log",
  "sample",
  "drain",
  "call",
  "connect",
  "ping",
  "pong",
  "abandoned",
  "health",
  "doubt",
] as const;
export type FrameType = (typeof frameTypes)[number];

export const frameHeaderBytes = 12;
/** A head is counted in 16 bits. */
export const headBytesMax = 65_535;
/** What a frame's body is cut into. */
export const dataBytesMax = 65_536;
/** Flag: nothing follows of this body. */
export const flagEnd = 1;

/** A frame as it was read. The body shares memory with the chunk it came in, which nobody writes to again. */
export interface Frame {
  readonly type: FrameType;
  readonly exchange: number;
  readonly end: boolean;
  /** JSON text of the head; empty: none. */
  readonly head: string;
  readonly body: Uint8Array;
}

const nothing = new Uint8Array(0);
const typeCodes = new Map<FrameType, number>(frameTypes.map((type, code) => [type, code + 1]));
const beyondLatin1 = /[\u0100-\uffff]/;

/** JSON text of a head, with what latin-1 cannot hold escaped, so that a character is a byte. */
export function headText(head: object): string {
  const json = JSON.stringify(head);
  if (!beyondLatin1.test(json)) return json;
  return json.replace(/[\u0100-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Writes a frame at an offset and returns the offset behind it. The caller has seen to the room: header, head, body.
 * @throws RangeError when the head is longer than 65 535 bytes.
 */
export function writeFrame(
  target: Buffer,
  offset: number,
  type: FrameType,
  exchange: number,
  end: boolean,
  head: string,
  body?: Uint8Array,
): number {
  if (head.length > headBytesMax)
    throw new RangeError(`Cannot write a ${type} frame: its head has ${head.length} bytes, ${headBytesMax} fit`);
  const bodyLength = body === undefined ? 0 : body.byteLength;
  target.writeUInt32LE(head.length + bodyLength, offset);
  target.writeUInt32LE(exchange, offset + 4);
  target[offset + 8] = typeCodes.get(type) ?? 0;
  target[offset + 9] = end ? flagEnd : 0;
  target.writeUInt16LE(head.length, offset + 10);
  let at = offset + frameHeaderBytes;
  if (head.length > 0) at += target.write(head, at, "latin1");
  if (body !== undefined) {
    target.set(body, at);
    at += bodyLength;
  }
  return at;
}

/** Bytes of UTF-8 for one unit of a string, at the most. */
export const utf8BytesMax = 3;

/** As `writeFrame`, with a body of text that ends it. The caller has seen to the room: three bytes for a unit of the text. */
export function writeTextFrame(target: Buffer, offset: number, type: FrameType, exchange: number, head: string, body: string): number {
  const bodyAt = writeFrame(target, offset, type, exchange, true, head);
  const bodyBytes = target.write(body, bodyAt);
  target.writeUInt32LE(head.length + bodyBytes, offset);
  return bodyAt + bodyBytes;
}

/** What a peer sent that is no frame. The channel ends with it. */
export class FrameViolation extends Error {
  override readonly name = "FrameViolation";
}

/**
 * Cuts a stream of chunks into frames. Every length is checked before anything is kept for it.
 * Frames that lie whole in one chunk are not copied.
 */
export class FrameReader {
  readonly #frameBytesMax: number;
  #carry: Buffer | undefined;
  #carried = 0;

  /** @param frameBytesMax the longest head and body together that the peer may send. */
  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /**
   * Calls `onFrame` for each frame that the chunk completes, in order.
   * @throws FrameViolation on an unknown type or a length over the maximum; nothing can be read after it.
   */
  push(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    let from = 0;
    while (this.#carry !== undefined && from < chunk.length) {
      from += this.#continue(chunk, from);
      if (this.#carried < this.#carry.length) return;
      if (this.#carry.length === frameHeaderBytes) {
        const length = this.#lengthAt(this.#carry, 0);
        if (length > 0) {
          this.#widen(frameHeaderBytes + length);
          continue;
        }
      }
      const whole = this.#carry;
      this.#carry = undefined;
      onFrame(this.#frameAt(whole, 0, whole.length));
    }
    while (chunk.length - from >= frameHeaderBytes) {
      const end = from + frameHeaderBytes + this.#lengthAt(chunk, from);
      if (end > chunk.length) break;
      onFrame(this.#frameAt(chunk, from, end));
      from = end;
    }
    if (from < chunk.length) this.#begin(chunk, from);
  }

  #begin(chunk: Buffer, from: number): void {
    const rest = chunk.length - from;
    const want = rest < frameHeaderBytes ? frameHeaderBytes : frameHeaderBytes + this.#lengthAt(chunk, from);
    this.#carry = Buffer.allocUnsafe(want);
    this.#carried = chunk.copy(this.#carry, 0, from);
  }

  #continue(chunk: Buffer, from: number): number {
    if (this.#carry === undefined) return 0;
    const copied = chunk.copy(this.#carry, this.#carried, from);
    this.#carried += copied;
    return copied;
  }

  #widen(bytes: number): void {
    const wider = Buffer.allocUnsafe(bytes);
    this.#carry?.copy(wider, 0, 0, this.#carried);
    this.#carry = wider;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32LE(at);
    if (length > this.#frameBytesMax) throw new FrameViolation(`A frame of ${length} bytes came, ${this.#frameBytesMax} are allowed`);
    const type = bytes[at + 8] ?? 0;
    if (frameTypes[type - 1] === undefined) throw new FrameViolation(`A frame of unknown type ${type} came`);
    if (bytes.readUInt16LE(at + 10) > length) throw new FrameViolation(`A frame's head is longer than the frame`);
    return length;
  }

  #frameAt(bytes: Buffer, at: number, end: number): Frame {
    const type = frameTypes[(bytes[at + 8] ?? 0) - 1];
    if (type === undefined) throw new FrameViolation("A frame of unknown type came");
    const headEnd = at + frameHeaderBytes + bytes.readUInt16LE(at + 10);
    return {
      type,
      exchange: bytes.readUInt32LE(at + 4),
      end: ((bytes[at + 9] ?? 0) & flagEnd) !== 0,
      head: headEnd === at + frameHeaderBytes ? "" : bytes.toString("latin1", at + frameHeaderBytes, headEnd),
      body: headEnd === end ? nothing : bytes.subarray(headEnd, end),
    };
  }
}
