/** What client and daemon say to each other when they have left HTTP (RFC 9110 §7.8): WebSocket, mostly. Each at the other's pace. */
import type { FrontTunnel } from "./front.ts";
import type { TunnelUser, UpstreamConnection } from "./upstream-connection.ts";

export interface TunnelEvents {
  /** So many bytes went to the daemon, or came from it. */
  passed(bytesIn: number, bytesOut: number): void;
  /** Both sides have said their last, or one is gone. Once, and not after `close`. */
  over(): void;
}

/** A client that goes on after the daemon has left is listened to for so long, in ms. */
const lingerMs = 5_000;

export class ServiceTunnel implements TunnelUser {
  readonly #client: FrontTunnel;
  readonly #service: UpstreamConnection;
  readonly #events: TunnelEvents;
  #clientEnded = false;
  #serviceEnded = false;
  /** The daemon has closed the connection, having said its last. */
  #isLeft = false;
  #lingersUntil = Infinity;
  #isOver = false;

  constructor(client: FrontTunnel, service: UpstreamConnection, events: TunnelEvents) {
    this.#client = client;
    this.#service = service;
    this.#events = events;
  }

  /** @param first what the daemon said behind its answer. */
  start(first: Uint8Array): void {
    const client = this.#client;
    this.#service.becomeTunnel(this);
    client.onWritable = () => this.#service.resume();
    client.onClosed = () => this.#end();
    client.onEnd = () => this.#clientEnd();
    if (first.byteLength > 0) this.received(first);
    client.onData = (chunk) => this.#fromClient(chunk);
  }

  /** Ends it, whatever is under way. */
  close(): void {
    this.#isOver = true;
    this.#client.close();
    this.#service.terminate();
  }

  /** @param nowMs `performance.now()` */
  tick(nowMs: number): void {
    if (!this.#isLeft) return;
    if (this.#lingersUntil === Infinity) this.#lingersUntil = nowMs + lingerMs;
    if (nowMs < this.#lingersUntil) return;
    this.#client.close();
    this.#end();
  }

  // From the client

  #fromClient(chunk: Uint8Array): void {
    this.#events.passed(chunk.byteLength, 0);
    if (!this.#service.write(chunk, false)) this.#client.pause();
  }

  #clientEnd(): void {
    this.#clientEnded = true;
    if (this.#isLeft) this.#end();
    else this.#service.end();
  }

  // From the daemon

  received(chunk: Uint8Array): void {
    this.#events.passed(0, chunk.byteLength);
    if (!this.#client.write(chunk)) this.#service.pause();
  }

  writable(): void {
    this.#client.resume();
  }

  ended(): void {
    this.#serviceEnded = true;
    // What it has said still goes to the client.
    this.#client.end();
  }

  gone(): void {
    if (this.#serviceEnded && !this.#clientEnded) {
      this.#isLeft = true;
      return;
    }
    // Without a last word the client must not take what it has for all.
    if (!this.#serviceEnded) this.#client.close();
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#service.terminate();
    this.#events.over();
  }
}
