/**
 * One side of the link: frames over a unix socket, many exchanges at once. What decides its speed is gathering writes:
 * frames are encoded in place into one buffer, which is written at the next microtask while few exchanges are open
 * (latency) and once per turn of the event loop otherwise (one write for many frames).
 */
import type { Socket, SocketHandler } from "bun";
import {
  dataBytesMax,
  type Frame,
  type FrameType,
  FrameReader,
  FrameViolation,
  frameHeaderBytes,
  headText,
  utf8BytesMax,
  writeFrame,
  writeTextFrame,
} from "./frames.ts";

/** At most so many exchanges are open when a frame is written without waiting for the loop's turn. */
const eagerExchangesMax = 2;
/** What may wait for a peer that does not read. Windows keep bodies far below it; a peer that lets it fill is ended. */
export const pendingBytesMax = 64 * 1024 * 1024;
const startBytes = 128 * 1024;

/** Frames of the host, which is trusted: a `load` of ten thousand operations is large. */
export const hostFrameBytesMax = 64 * 1024 * 1024;
/** Frames of a runner, which is not. */
export const runnerFrameBytesMax = 1024 * 1024;

/** Why a channel is over that the peer has closed. */
export const peerClosed = "the peer closed the link";

export interface ChannelEvents {
  /** A frame came. What it throws ends the channel: a peer that sends nonsense is not to be understood halfway. */
  frame(frame: Frame): void;
  /** The channel is over, by either side, once. Nothing is sent or received any more. */
  closed(reason: string): void;
}

export class Channel {
  /** Exchanges open on this channel; its owner keeps it true. Decides how soon frames are written. */
  exchangesOpen = 0;

  readonly #events: ChannelEvents;
  readonly #reader: FrameReader;
  #socket: Socket<Channel> | undefined;
  #buffer = Buffer.allocUnsafe(startBytes);
  #from = 0;
  #to = 0;
  #flushPlanned = false;
  #blocked = false;
  #closed = false;
  #ended = false;

  /** @param frameBytesMax the longest frame the peer may send. */
  constructor(frameBytesMax: number, events: ChannelEvents) {
    this.#reader = new FrameReader(frameBytesMax);
    this.#events = events;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that wait to be written: what may be dropped is dropped when they are many. */
  get pendingBytes(): number {
    return this.#to - this.#from;
  }

  /** Queues a frame; it is written soon. After the channel closed: nothing happens. */
  send(type: FrameType, exchange: number, head?: object, body?: Uint8Array, end = false): void {
    this.sendHead(type, exchange, head === undefined ? "" : headText(head), body, end);
  }

  /** As `send`, with a head that is JSON text already. @param head as `headText` makes it. */
  sendHead(type: FrameType, exchange: number, head: string, body?: Uint8Array, end = false): void {
    if (this.#closed || this.#ended) return;
    if (!this.#makeRoom(frameHeaderBytes + head.length + (body === undefined ? 0 : body.byteLength))) return;
    this.#to = writeFrame(this.#buffer, this.#to, type, exchange, end, head, body);
    this.#planFlush();
  }

  /**
   * As `sendHead`, with a body of text, which is encoded where it lies in the buffer. It is all of the exchange's body.
   * @returns false when the text is too long for a frame: nothing was sent.
   */
  sendText(type: FrameType, exchange: number, head: string, body: string): boolean {
    if (body.length * utf8BytesMax > dataBytesMax && Buffer.byteLength(body) > dataBytesMax) return false;
    if (this.#closed || this.#ended) return true;
    if (!this.#makeRoom(frameHeaderBytes + head.length + body.length * utf8BytesMax)) return true;
    this.#to = writeTextFrame(this.#buffer, this.#to, type, exchange, head, body);
    this.#planFlush();
    return true;
  }

  /** Writes what is queued now, as far as the socket takes it. */
  flush(): void {
    this.#flush();
  }

  /** Sends what is queued, then closes. */
  end(): void {
    this.#ended = true;
    this.#flush();
    if (this.#from === this.#to) this.#socket?.end();
  }

  /** Closes now; what is queued is lost. `closed` is called with the reason. */
  terminate(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket?.terminate();
    this.#buffer = Buffer.alloc(0);
    this.#from = this.#to = 0;
    this.#events.closed(reason);
  }

  /** To be called by the socket's handlers (`channelSocket`). */
  attach(socket: Socket<Channel>): void {
    this.#socket = socket;
    this.#flush();
  }

  received(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      this.#reader.push(chunk, (frame) => {
        if (!this.#closed) this.#events.frame(frame);
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.terminate(error instanceof FrameViolation ? `link violation: ${why}` : `link failure: ${why}`);
    }
  }

  writable(): void {
    this.#blocked = false;
    this.#flush();
    if (this.#ended && this.#from === this.#to) this.#socket?.end();
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#blocked) return;
    this.#flushPlanned = true;
    if (this.exchangesOpen <= eagerExchangesMax) queueMicrotask(this.#flush);
    else setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushPlanned = false;
    if (this.#blocked || this.#closed || this.#socket === undefined) return;
    if (this.#from < this.#to) {
      const written = this.#socket.write(this.#buffer, this.#from, this.#to - this.#from);
      // A closed socket answers -1; its close event tells the rest.
      if (written > 0) this.#from += written;
    }
    if (this.#from === this.#to) this.#from = this.#to = 0;
    else this.#blocked = true;
  };

  /** Room behind `#to`: by moving what is left to the front, else by a buffer twice as long. */
  #makeRoom(bytes: number): boolean {
    const pending = this.#to - this.#from;
    // What waits counts, not the frame: one may itself be as long.
    if (pending > pendingBytesMax) {
      this.terminate(`the peer does not read: ${pending} bytes wait`);
      return false;
    }
    if (this.#to + bytes <= this.#buffer.length) return true;
    let length = this.#buffer.length;
    while (length < pending + bytes) length *= 2;
    const target = length === this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(length);
    this.#buffer.copy(target, 0, this.#from, this.#to);
    this.#buffer = target;
    this.#from = 0;
    this.#to = pending;
    return true;
  }
}

/** Handlers for `Bun.listen` and `Bun.connect` whose socket's `data` is the channel. */
export const channelSocket: SocketHandler<Channel, "buffer"> = {
  binaryType: "buffer",
  data(socket, chunk) {
    socket.data.received(chunk);
  },
  drain(socket) {
    socket.data.writable();
  },
  close(socket) {
    socket.data.terminate(peerClosed);
  },
  error(socket, error) {
    socket.data.terminate(`the link failed: ${error.message}`);
  },
};
