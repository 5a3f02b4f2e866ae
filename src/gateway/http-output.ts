/**
 * What is on its way to a client. Small pieces go out together in one write, large ones without being copied; what the kernel
 * does not take at once waits here by reference.
 */
import type { Socket } from "bun";

/** Text is Latin-1: heads and chunk sizes. */
export type Piece = string | Uint8Array;

/** Pieces of one write are laid side by side in it. Used by one connection at a time, and never across turns of the event loop. */
export const page = Buffer.allocUnsafe(64 * 1024);
/** From here on a piece is written from where it lies. */
const largeBytes = 32 * 1024;
/** Pieces below are copied side by side while the client takes nothing: an object for each would take a hundred times as much. */
const smallBytes = 1024;
const tailBytesMax = 16 * 1024;
/** So many places of pieces that have gone are given back together. */
const gonePiecesMax = 1024;

export class HttpOutput {
  readonly #socket: Pick<Socket, "write">;
  /** What waits; undefined while nothing does, which is nearly always. */
  #pieces: Piece[] | undefined;
  #first = 0;
  /** Bytes of the first piece that have gone. */
  #gone = 0;
  #pendingBytes = 0;
  /** The kernel did not take everything: it will say when to go on. */
  #isBlocked = false;
  /** The last piece, where it is one of small ones that others may be added to. */
  #tail: Buffer | undefined;
  #tailBytes = 0;

  constructor(socket: Pick<Socket, "write">) {
    this.#socket = socket;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /**
   * Sends a head with a body whose length in bytes is known: by one write, where it is short.
   * @param head its text, or how many bytes of the `page` it is: it has been written there.
   */
  sendWhole(head: string | number, body: Piece, bodyBytes: number): void {
    const headBytes = typeof head === "number" ? head : head.length;
    const bytes = headBytes + bodyBytes;
    if (this.#pieces !== undefined || bytes > page.length) {
      this.push(typeof head === "number" ? Buffer.from(page.subarray(0, head)) : head);
      if (bodyBytes > 0) this.push(typeof body === "string" ? Buffer.from(body) : body);
      this.flush();
      return;
    }
    if (typeof head === "string") page.write(head, 0, "latin1");
    if (bodyBytes > 0) {
      if (typeof body === "string") page.write(body, headBytes, "utf8");
      else page.set(body, headBytes);
    }
    const written = this.#write(page, 0, bytes);
    if (written < bytes) this.push(Buffer.from(page.subarray(written, bytes)));
  }

  /** Adds a piece to what waits. @param piece not empty; nobody writes to it again. */
  push(piece: Piece): void {
    this.#pieces ??= [];
    this.#pendingBytes += piece.length;
    if (this.#isBlocked && piece.length < smallBytes) return this.#append(piece, this.#pieces);
    this.#tail = undefined;
    this.#pieces.push(piece);
  }

  /** The kernel takes more again. */
  unblock(): void {
    this.#isBlocked = false;
  }

  /** Writes what waits, as far as the kernel takes it. */
  flush(): void {
    while (this.#pieces !== undefined && !this.#isBlocked) {
      const piece = this.#pieces[this.#first] as Piece;
      if (typeof piece !== "string" && piece.length - this.#gone >= largeBytes) {
        this.#consume(this.#write(piece, this.#gone, piece.length - this.#gone));
      } else this.#consume(this.#write(page, 0, this.#gather(this.#pieces)));
    }
  }

  /** Forgets what waits. */
  discard(): void {
    this.#pieces = this.#tail = undefined;
    this.#first = this.#gone = this.#pendingBytes = 0;
  }

  /** How many bytes were written; fewer than asked for: blocked. */
  #write(bytes: Uint8Array, from: number, length: number): number {
    // A closed socket answers -1; its close event tells the rest.
    const written = Math.max(0, this.#socket.write(bytes, from, length));
    this.#isBlocked = written < length;
    return written;
  }

  /** Lays the pieces that come next into the page, as many as fit. */
  #gather(pieces: readonly Piece[]): number {
    let length = 0;
    let from = this.#gone;
    for (let index = this.#first; index < pieces.length && length < page.length; index++) {
      const piece = pieces[index] as Piece;
      const bytes = Math.min(piece.length - from, page.length - length);
      if (typeof piece === "string") page.write(from === 0 ? piece : piece.slice(from), length, bytes, "latin1");
      else page.set(piece.subarray(from, from + bytes), length);
      length += bytes;
      from = 0;
    }
    return length;
  }

  #append(piece: Piece, pieces: Piece[]): void {
    let tail = this.#tail;
    if (tail === undefined || this.#tailBytes + piece.length > tail.length) {
      tail = this.#tail = Buffer.allocUnsafeSlow(tailBytesMax);
      this.#tailBytes = 0;
      pieces.push(tail);
    }
    if (typeof piece === "string") tail.write(piece, this.#tailBytes, "latin1");
    else tail.set(piece, this.#tailBytes);
    this.#tailBytes += piece.length;
    pieces[pieces.length - 1] = tail.subarray(0, this.#tailBytes);
  }

  #consume(bytes: number): void {
    const pieces = this.#pieces;
    if (pieces === undefined) return;
    this.#pendingBytes -= bytes;
    if (this.#pendingBytes === 0) return this.discard();
    let gone = this.#gone + bytes;
    for (let piece = pieces[this.#first] as Piece; gone >= piece.length; piece = pieces[this.#first] as Piece) {
      gone -= piece.length;
      pieces[this.#first++] = "";
    }
    this.#gone = gone;
    if (this.#first < gonePiecesMax) return;
    pieces.splice(0, this.#first);
    this.#first = 0;
  }
}
