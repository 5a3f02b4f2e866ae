/**
 * A listener: accepts clients that speak lines, on TCP or a unix socket, within its limits. Which revision answers them is replaced
 * by reference; what is open moves to it without losing its connection.
 */
import type { Socket, SocketHandler } from "bun";
import type { Listener } from "../config/app.ts";
import type { Ticked, Ticker } from "../core/ticker.ts";
import { LineConnection, type LineConnectionOwner } from "./line-connection.ts";
import { type ListenFailure, type ListeningSocket, listenAt } from "./line-socket.ts";
import type { LineTarget } from "./line-target.ts";

export interface LineListenerOptions {
  readonly ticker: Pick<Ticker, "add" | "remove">;
  /** Default: `performance.now()`, the ticker's clock. */
  readonly now?: () => number;
}

export interface LineListener {
  /** "tcp://127.0.0.1:1234", "tcp://[::1]:1234", "unix:/run/fib.sock" */
  readonly url: string;
  /** Open connections, without those that were refused. */
  readonly connections: number;
  /**
   * Has another target answer: new connections, and open ones with their next line. Resolves when no connection waits for
   * the answers of an earlier target.
   */
  serve(target: LineTarget): Promise<void>;
  /** Accepts nobody, and closes each connection when its lines are answered. Resolves when none is left. */
  drain(): Promise<void>;
  /** Closes every connection at once. */
  close(): void;
}

export type OpenedLineListener =
  | { readonly ok: true; readonly listener: LineListener }
  | { readonly ok: false; readonly failure: ListenFailure };

/** Refusals are told to the log so often, with their number. */
const refusalsToldMs = 1_000;
/** Clients that are told that they are refused, at a time; more are closed without a word. */
const refusedMax = 256;

/** Opens a listener. Nobody is served before `serve` was called: until then clients are refused. */
export async function openLineListener(at: Listener["at"], options: LineListenerOptions): Promise<OpenedLineListener> {
  const listener = new Listening(options);
  const opened = await listenAt(at, listener.handlers);
  if (!opened.ok) return opened;
  listener.opened(opened.socket);
  return { ok: true, listener };
}

type LineSocket = Socket<LineConnection | undefined>;

class Listening implements LineListener, LineConnectionOwner, Ticked {
  readonly now: () => number;
  readonly #ticker: Pick<Ticker, "add" | "remove">;
  readonly #connections = new Set<LineConnection>();
  readonly #refused = new Set<LineConnection>();
  #listening: ListeningSocket | undefined;
  #target: LineTarget | undefined;
  #url = "";
  #refusals = 0;
  #refusalsToldAt = -Infinity;
  #waiters: { readonly met: () => boolean; readonly resolve: () => void }[] = [];

  constructor({ ticker, now = () => performance.now() }: LineListenerOptions) {
    this.#ticker = ticker;
    this.now = now;
  }

  opened(listening: ListeningSocket): void {
    this.#listening = listening;
    this.#url = listening.url;
  }

  get url(): string {
    return this.#url;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async serve(target: LineTarget): Promise<void> {
    this.#target = target;
    for (const connection of this.#connections) connection.moveTo(target);
    const earlier = new Set([...this.#connections].map(({ servedBy }) => servedBy));
    earlier.delete(target);
    earlier.delete(undefined);
    await this.#until(() => [...this.#connections].every(({ servedBy }) => !earlier.has(servedBy)));
  }

  async drain(): Promise<void> {
    this.#stopListening();
    for (const connection of this.#connections) connection.drain();
    await this.#until(() => this.#connections.size === 0);
  }

  close(): void {
    this.#stopListening();
    for (const connection of [...this.#connections, ...this.#refused]) connection.close();
    this.#tellRefusals(Infinity);
    this.#ticker.remove(this);
  }

  tick(nowMs: number): void {
    for (const connection of this.#connections) connection.tick(nowMs);
    for (const connection of this.#refused) connection.tick(nowMs);
    this.#tellRefusals(nowMs);
    if (this.#connections.size + this.#refused.size + this.#refusals === 0) this.#ticker.remove(this);
  }

  released(): void {
    this.#wake();
  }

  gone(connection: LineConnection): void {
    this.#connections.delete(connection);
    this.#refused.delete(connection);
    this.#wake();
  }

  readonly handlers: SocketHandler<LineConnection | undefined, "buffer"> = {
    binaryType: "buffer",
    open: (socket) => this.#accept(socket),
    data: (socket, chunk) => socket.data?.received(chunk),
    drain: (socket) => socket.data?.drained(),
    end: (socket) => socket.data?.halfClosed(),
    close: (socket) => socket.data?.closed(),
    error: (socket) => socket.terminate(),
  };

  #accept(socket: LineSocket): void {
    const target = this.#target;
    if (target === undefined) return void socket.terminate();
    this.#ticker.add(this);
    const { connectionsMax } = target.listener;
    if (this.#connections.size >= connectionsMax) return this.#refuse(socket, target);
    const connection = new LineConnection(this, socket, target);
    socket.data = connection;
    this.#connections.add(connection);
  }

  #refuse(socket: LineSocket, target: LineTarget): void {
    this.#refusals++;
    this.#tellRefusals(this.now());
    if (this.#refused.size >= refusedMax) return void socket.terminate();
    const connection = new LineConnection(this, socket, target);
    socket.data = connection;
    this.#refused.add(connection);
    connection.refuse(`${target.listener.connectionsMax} connections are open, the limit of this listener; try again later`);
  }

  #tellRefusals(nowMs: number): void {
    const target = this.#target;
    if (this.#refusals === 0 || target === undefined || nowMs - this.#refusalsToldAt < refusalsToldMs) return;
    const { app, listener, log } = target;
    const refused = this.#refusals;
    this.#refusals = 0;
    this.#refusalsToldAt = nowMs;
    const clients = refused === 1 ? "a client" : `${refused} clients`;
    log.host({
      level: "warn",
      event: "connections-refused",
      message: `The listener ${listener.name} of ${app} refused ${clients}: ${listener.connectionsMax} connections were open, its max-connections`,
      fields: { app, listener: listener.name, refused },
    });
  }

  #stopListening(): void {
    this.#listening?.stop();
    this.#listening = undefined;
  }

  async #until(met: () => boolean): Promise<void> {
    if (met()) return;
    await new Promise<void>((resolve) => this.#waiters.push({ met, resolve }));
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    this.#waiters = this.#waiters.filter(({ met, resolve }) => {
      if (!met()) return true;
      resolve();
      return false;
    });
  }
}
