/** The way to an instance's daemon: a TCP connection, or bytes over the link where it has no address. */
import { isDescriptorLeft } from "../core/descriptor-left.ts";
import type { ConnectionSink, OpenConnection, Upstream } from "./dispatch.ts";

/** What a connection writes to. A Bun socket is one. */
export interface UpstreamWire {
  /** @returns how many bytes were taken: fewer than asked for, and `WireUser.writable` tells when there is room again. */
  write(bytes: Uint8Array, from: number, length: number): number;
  /** Nothing more is told until `resume`, but what has come already. */
  pause(): unknown;
  resume(): unknown;
  /** Half-closes it: nothing more is written. */
  shutdown(): unknown;
  /** Closes it at once, as far as it is not closed yet. */
  terminate(): unknown;
}

/** Whoever uses a wire. `opened` or `unreachable` comes first; nothing comes after `unreachable` or `gone`. */
export interface WireUser {
  opened(wire: UpstreamWire): void;
  /**
   * @param detail what came of it, as a clause: "connection refused".
   * @param isOurs the host could not make it: that says nothing of the daemon.
   */
  unreachable(detail: string, isOurs?: boolean): void;
  received(chunk: Buffer): void;
  writable(): void;
  /** The daemon sends nothing any more. */
  ended(): void;
  /** It is closed. Without `ended` before: it broke. */
  gone(): void;
}

export function openWire(upstream: Upstream, user: WireUser): void {
  const { address } = upstream;
  if (address === undefined) new LinkWire(user).open(upstream);
  else connectTo(address, user);
}

function connectTo({ host, port }: NonNullable<Upstream["address"]>, user: WireUser): void {
  // The daemon's half-close is the proxy's to judge: behind a tunnel the other direction goes on.
  Bun.connect<WireUser>({ hostname: host, port, allowHalfOpen: true, data: user, socket: socketHandler }).catch((error: unknown) => {
    if (isDescriptorLeft()) user.unreachable(reasonOf(error));
    else user.unreachable("the host has no file descriptor left", true);
  });
}

const socketHandler: Bun.SocketHandler<WireUser, "buffer"> = {
  binaryType: "buffer",
  open: (socket) => socket.data.opened(socket),
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.writable(),
  end: (socket) => socket.data.ended(),
  close: (socket) => socket.data.gone(),
  // The promise of `Bun.connect` is rejected, too; a handler must be there for both.
  connectError: () => {},
  error: () => {},
};

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  EHOSTUNREACH: "no route to it",
  ENETUNREACH: "no route to it",
  ETIMEDOUT: "it did not answer in time",
  ECONNRESET: "connection reset",
  EADDRNOTAVAIL: "the host has no port left",
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return reasons[code] ?? (code === "" ? error.message : code);
}

const nothing = new Uint8Array(0);

/** A connection that the runner opens and carries over the link. Until its daemon has taken it nothing is sent: it may be refused. */
class LinkWire implements UpstreamWire, ConnectionSink {
  readonly #user: WireUser;
  #open: OpenConnection | undefined;
  /** The daemon has taken it. */
  #isTaken = false;
  /** The link has taken as much as it may hold. */
  #isFull = false;
  #isPaused = false;
  /** Bytes that came while it was paused, and that the instance has not been told of. */
  #heldBytes = 0;
  #isClosed = false;

  constructor(user: WireUser) {
    this.#user = user;
  }

  open(upstream: Upstream): void {
    this.#open = upstream.connect(this);
  }

  // Towards the daemon

  write(bytes: Uint8Array, from: number, length: number): number {
    if (this.#isFull || this.#open === undefined || this.#isClosed) return 0;
    this.#isFull = !this.#open.write(bytes.slice(from, from + length), false);
    return length;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#consume();
  }

  shutdown(): void {
    if (!this.#isClosed) this.#open?.write(nothing, true);
  }

  terminate(): void {
    if (!this.#isClosed) this.#open?.reset("client-left");
  }

  // From it

  taken(): void {}

  data(chunk: Uint8Array, last: boolean): void {
    this.#take();
    if (chunk.byteLength > 0) {
      this.#heldBytes += chunk.byteLength;
      this.#user.received(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      if (!this.#isPaused) this.#consume();
    }
    if (last) this.#user.ended();
  }

  writable(): void {
    this.#isFull = false;
    this.#user.writable();
  }

  /** What the runner says of a connection is in the daemon's own output. */
  output(): void {}

  closed(failure?: { readonly detail: string }): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isTaken) return this.#user.gone();
    // It may be told before whoever opens it has it.
    queueMicrotask(() => this.#user.unreachable(failure?.detail ?? "its instance is gone"));
  }

  /** The first that comes, of no bytes, says so. */
  #take(): void {
    if (this.#isTaken || this.#isClosed) return;
    this.#isTaken = true;
    this.#user.opened(this);
  }

  #consume(): void {
    const bytes = this.#heldBytes;
    this.#heldBytes = 0;
    if (bytes > 0 && !this.#isClosed) this.#open?.consumed(bytes);
  }
}
