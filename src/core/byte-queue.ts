/**
 * Bytes that come in pieces and wait. Large pieces are kept as they are; small ones are copied side by side, because an object
 * for each takes a hundred bytes and keeps what it came in alive: who sends a body byte by byte would decide how much memory it takes.
 */

/** Pieces from here on are kept as they are. */
const largeBytes = 1024;
const tailBytesMin = 1024;
const tailBytesMax = 32 * 1024;

export class ByteQueue {
  #pieces: Uint8Array[] = [];
  /** Small pieces, behind the others. */
  #tail: Buffer | undefined;
  #tailBytes = 0;
  #byteLength = 0;

  /** Bytes that wait. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** @param piece nobody writes to it again. */
  push(piece: Uint8Array): void {
    const isFirst = this.#byteLength === 0;
    this.#byteLength += piece.byteLength;
    if (piece.byteLength >= largeBytes || (isFirst && piece.byteLength > 0)) {
      this.#seal();
      this.#pieces.push(piece);
    } else this.#append(piece);
  }

  /** Takes the first of what waits; undefined: nothing does. */
  shift(): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#seal();
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.#byteLength -= piece.byteLength;
    return piece;
  }

  /** Takes all that waits, in one piece. */
  take(): Uint8Array {
    this.#seal();
    const [first] = this.#pieces;
    const whole = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces, this.#byteLength);
    this.clear();
    return whole;
  }

  clear(): void {
    this.#pieces = [];
    this.#tail = undefined;
    this.#tailBytes = this.#byteLength = 0;
  }

  #append(piece: Uint8Array): void {
    if (this.#tailBytes + piece.byteLength > (this.#tail?.length ?? 0)) this.#makeRoom();
    this.#tail?.set(piece, this.#tailBytes);
    this.#tailBytes += piece.byteLength;
  }

  /** For one small piece more: by a tail twice as long, or a new one. */
  #makeRoom(): void {
    const full = this.#tail;
    if (full !== undefined && full.length >= tailBytesMax) this.#seal();
    this.#tail = Buffer.allocUnsafeSlow(this.#tail === undefined ? tailBytesMin : this.#tail.length * 2);
    if (this.#tailBytes > 0) full?.copy(this.#tail, 0, 0, this.#tailBytes);
  }

  /** What follows the tail does not belong into it. */
  #seal(): void {
    if (this.#tail !== undefined && this.#tailBytes > 0) this.#pieces.push(this.#tail.subarray(0, this.#tailBytes));
    this.#tail = undefined;
    this.#tailBytes = 0;
  }
}
