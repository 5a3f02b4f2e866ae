/** A client's connection after 101: bytes both ways, as they are. Which of both sides has ended, and what of it was told. */
import type { FrontTunnel } from "./front.ts";

/** The connection that a tunnel is on. */
export interface TunnelConnection {
  /** @returns false: the client is slow. */
  sendPieces(before: string, chunk?: Uint8Array): boolean;
  /** What the tunnel wants has changed: reading on, or saying that it has ended. */
  tunnelChanged(): void;
  /** Ends the connection with what could be written until now. */
  breakOff(isReset: boolean): void;
}

export class HttpTunnel implements FrontTunnel {
  onData: ((chunk: Uint8Array) => void) | undefined;
  onEnd: (() => void) | undefined;
  onWritable: (() => void) | undefined;
  onClosed: (() => void) | undefined;
  /** Whoever reads asked for a pause. */
  isPaused = false;
  /** Nothing more is written. */
  hasEnded = false;
  #connection: TunnelConnection | undefined;
  #isEndTold = false;

  /** @param connection undefined: the client has left, and what is given to it does nothing. */
  constructor(connection: TunnelConnection | undefined) {
    this.#connection = connection;
  }

  write(chunk: Uint8Array): boolean {
    if (this.hasEnded || chunk.byteLength === 0) return true;
    return this.#connection?.sendPieces("", chunk) ?? true;
  }

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.#connection?.tunnelChanged();
  }

  close(): void {
    this.#connection?.breakOff(false);
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.#connection?.tunnelChanged();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#connection?.tunnelChanged();
  }

  /** For the connection: the client has sent it. */
  received(chunk: Uint8Array): void {
    this.onData?.(chunk);
  }

  /** For the connection: the client sends nothing any more, and all that it has sent was told. */
  clientEnded(): void {
    if (this.#isEndTold) return;
    this.#isEndTold = true;
    this.onEnd?.();
  }

  /** For the connection: it is closed. */
  gone(): void {
    if (this.#connection === undefined) return;
    this.#connection = undefined;
    this.onClosed?.();
  }
}
