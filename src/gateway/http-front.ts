/**
 * Where client traffic comes in: HTTP/1.1 on sockets of our own (RFC 9110, RFC 9112). This file listens, looks after what takes
 * too long, and ends; `http-connection.ts` is where bytes become exchanges.
 */
import type { Socket, SocketHandler, TCPSocketListener } from "bun";
import type { Receipt } from "../telemetry/receipt.ts";
import { ToldOrigins } from "./forwarded.ts";
import type { Front, FrontHandler } from "./front.ts";
import { type ConnectionContext, HttpConnection } from "./http-connection.ts";
import { type HttpLimits, httpLimits } from "./http-limits.ts";
import type { Refusal } from "./http-refusal.ts";
import { readTrustedProxies } from "./trusted-proxies.ts";

export interface FrontOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** Addresses and CIDR blocks of those who may say for whom a request comes, by `Forwarded` and `X-Forwarded-*`. Default: nobody. */
  readonly trustedProxies?: readonly string[];
  /** Those that are not given: `httpLimits`. */
  readonly limits?: Partial<HttpLimits>;
  /** Told of what is answered without the handler: what was no request, came too slowly, or when there is no room. */
  readonly onRefused?: (receipt: Receipt) => void;
  /** Told of what must not happen: a handler that throws, an answer that does not keep to its Content-Length. */
  readonly onDefect?: (error: Error) => void;
}

/** @throws RangeError for a trusted proxy that is none; an Error with `code` EADDRINUSE, EACCES or EADDRNOTAVAIL when it cannot listen. */
export function openHttpFront(options: FrontOptions, handler: FrontHandler): Front {
  const front = new HttpFront(options, handler);
  front.listen();
  return front;
}

/** Listens for no longer than it takes to know that it can. @throws as `openHttpFront`. */
export function tryListening(hostname: string, port: number): void {
  Bun.listen({ hostname, port, socket: { data: () => {} } }).stop(true);
}

/** Connections over the maximum that are told so at a time; more are closed without a word. */
const refusedConnectionsMax = 256;

class HttpFront implements Front, ConnectionContext {
  readonly handler: FrontHandler;
  readonly limits: HttpLimits;
  readonly origins: ToldOrigins;
  isDraining = false;
  nowMs = performance.now();
  date = new Date().toUTCString();
  readonly #options: FrontOptions;
  readonly #connections = new Set<HttpConnection>();
  #listener: TCPSocketListener<HttpConnection> | undefined;
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #whenEmpty: (() => void)[] = [];

  constructor(options: FrontOptions, handler: FrontHandler) {
    this.#options = options;
    this.limits = { ...httpLimits, ...options.limits };
    this.handler = handler;
    const trusted = readTrustedProxies(options.trustedProxies ?? []);
    if (!trusted.ok) throw new RangeError(trusted.problem);
    this.origins = new ToldOrigins(trusted.proxies);
  }

  listen(): void {
    const { address, port } = this.#options;
    this.#listener = Bun.listen({
      hostname: address,
      port,
      // A client that shuts down its sending side is ours to judge, and the answer to its last request is still sent.
      allowHalfOpen: true,
      socket: this.#socketHandler(),
    });
  }

  get url(): string {
    const { address } = this.#options;
    const host = address.includes(":") ? `[${address}]` : address;
    return `http://${host}:${this.#listener?.port}`;
  }

  drain(): Promise<void> {
    this.isDraining = true;
    this.#listener?.stop();
    for (const connection of this.#connections) connection.drain();
    return this.#emptied();
  }

  close(): Promise<void> {
    this.#listener?.stop();
    for (const connection of this.#connections) connection.terminate();
    return this.#emptied();
  }

  refused(receipt: Receipt): void {
    this.#options.onRefused?.(receipt);
  }

  defect(error: Error): void {
    this.#options.onDefect?.(error);
  }

  closed(connection: HttpConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    // Nobody is there: an idle host does not wake up every second.
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const told of this.#whenEmpty.splice(0)) told();
  }

  #emptied(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connections.size === 0) resolve();
      else this.#whenEmpty.push(resolve);
    });
  }

  #socketHandler(): SocketHandler<HttpConnection, "buffer"> {
    return {
      binaryType: "buffer",
      open: (socket) => this.#opened(socket),
      data: (socket, chunk) => socket.data.received(chunk),
      drain: (socket) => socket.data.writable(),
      end: (socket) => socket.data.ended(),
      close: (socket, error) => socket.data.gone(error !== undefined),
      error: (_socket, error) => this.defect(error),
    };
  }

  #opened(socket: Socket<HttpConnection>): void {
    if (this.#sweeper === undefined) {
      this.#readClock();
      this.#sweeper = setInterval(this.#sweep, this.limits.sweepMs);
    }
    const connection = new HttpConnection(socket, this);
    socket.data = connection;
    this.#connections.add(connection);
    const { connectionsMax } = this.limits;
    // One that was accepted in the same turn as the listener was closed.
    if (this.isDraining) return connection.terminate();
    const surplus = this.#connections.size - connectionsMax;
    if (surplus > refusedConnectionsMax) connection.terminate();
    else if (surplus > 0) connection.refuse({ refusal: tooManyConnections(connectionsMax) });
  }

  readonly #sweep = (): void => {
    this.#readClock();
    let unsentBytes = 0;
    for (const connection of this.#connections) {
      connection.sweep(this.nowMs);
      unsentBytes += connection.unsentBytes;
    }
    if (unsentBytes > this.limits.unsentBytesMax) this.#cutOff(unsentBytes - this.limits.unsentBytesMax);
  };

  /** Gives so much memory back: a client that takes a byte now and then would keep its answer for as long as it likes. */
  #cutOff(bytes: number): void {
    const slow = [...this.#connections]
      .filter(({ unsentBytes }) => unsentBytes > 0)
      .toSorted((one, other) => one.answeredMs - other.answeredMs);
    let surplus = bytes;
    for (const connection of slow) {
      if (surplus <= 0) return;
      surplus -= connection.unsentBytes;
      connection.terminate();
    }
  }

  #readClock(): void {
    this.nowMs = performance.now();
    this.date = new Date().toUTCString();
  }
}

function tooManyConnections(max: number): Refusal {
  return { kind: "too-many-connections", detail: `There are ${max} connections, as many as may be`, headers: { "Retry-After": "1" } };
}
