/**
 * Answers on their way to a listener's client: written as they come, and kept when the client does not take them. The window of the
 * link bounds what is kept: 256 KiB of answers, and a last line.
 */
import type { Socket } from "bun";

const nothing = Buffer.alloc(0);

export class LineOutput {
  /** Bytes that the kernel has taken. */
  bytes = 0;
  readonly #socket: Pick<Socket, "write">;
  #kept = nothing;
  #from = 0;
  #to = 0;

  constructor(socket: Pick<Socket, "write">) {
    this.#socket = socket;
  }

  /** Whether the client has not taken all of what was written. */
  get isBlocked(): boolean {
    return this.#from < this.#to;
  }

  /** Writes what the kernel takes, keeps the rest, and returns how many bytes it took. */
  write(bytes: Uint8Array): number {
    if (this.isBlocked) {
      this.#keep(bytes);
      return 0;
    }
    const taken = this.#send(bytes);
    if (taken < bytes.byteLength) this.#keep(bytes.subarray(taken));
    return taken;
  }

  /** The client takes more: writes what was kept, and returns how many bytes were taken. */
  flush(): number {
    if (!this.isBlocked) return 0;
    const taken = this.#send(this.#kept.subarray(this.#from, this.#to));
    this.#from += taken;
    if (!this.isBlocked) {
      this.#kept = nothing;
      this.#from = this.#to = 0;
    }
    return taken;
  }

  #send(bytes: Uint8Array): number {
    // A closed socket answers -1; its close event tells the rest.
    const taken = Math.max(0, this.#socket.write(bytes));
    this.bytes += taken;
    return taken;
  }

  #keep(bytes: Uint8Array): void {
    const kept = this.#to - this.#from;
    if (this.#to + bytes.byteLength > this.#kept.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(kept * 2, kept + bytes.byteLength));
      this.#kept.copy(wider, 0, this.#from, this.#to);
      this.#kept = wider;
      this.#from = 0;
      this.#to = kept;
    }
    this.#kept.set(bytes, this.#to);
    this.#to += bytes.byteLength;
  }
}
