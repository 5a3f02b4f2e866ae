/** A daemon that says the very bytes it is told to, for tests of a proxy: it keeps what it is sent, connection by connection. */
import type { Socket, TCPSocketListener } from "bun";
import { eventually } from "./eventually.ts";

export class DaemonConnection {
  /** All that has come, as Latin-1. */
  received = "";
  receivedBytes = 0;
  /** From here on what comes is counted only. */
  forgets = false;
  /** The proxy has half-closed. */
  hasEnded = false;
  isClosed = false;
  readonly #socket: Socket<DaemonConnection>;
  #unsent: Buffer = Buffer.alloc(0);

  constructor(socket: Socket<DaemonConnection>) {
    this.#socket = socket;
  }

  send(bytes: string | Uint8Array): void {
    const more = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    this.#unsent = this.#unsent.length === 0 ? Buffer.from(more) : Buffer.concat([this.#unsent, more]);
    this.flush();
  }

  /** What the kernel has not taken of what was sent. */
  get unsentBytes(): number {
    return this.#unsent.length;
  }

  flush(): void {
    if (this.#unsent.length === 0) return;
    this.#unsent = this.#unsent.subarray(Math.max(0, this.#socket.write(this.#unsent)));
  }

  /** Says no more, and still listens. */
  finish(): void {
    this.#socket.shutdown();
  }

  /** Closes it with a reset. */
  reset(): void {
    this.#socket.terminate();
  }

  close(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves when this has come. */
  async has(text: string | RegExp): Promise<string> {
    const holds = (): boolean => (typeof text === "string" ? this.received.includes(text) : text.test(this.received));
    return await eventually(
      () => `the daemon gets ${text}; it has ${this.received.slice(-500)}`,
      () => (holds() ? this.received : undefined),
    );
  }

  async closed(): Promise<void> {
    await eventually("the daemon's connection is closed", () => this.isClosed);
  }
}

/** Called with each piece that comes. */
export type DaemonScript = (connection: DaemonConnection, daemon: RawDaemon) => void;

export class RawDaemon implements Disposable {
  readonly port: number;
  readonly connections: DaemonConnection[] = [];
  readonly #listener: TCPSocketListener<DaemonConnection>;

  /** @param script default: nothing is answered. */
  constructor(script: DaemonScript = () => {}) {
    this.#listener = Bun.listen<DaemonConnection>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          socket.data = new DaemonConnection(socket);
          this.connections.push(socket.data);
        },
        data: (socket, chunk) => {
          socket.data.receivedBytes += chunk.length;
          if (!socket.data.forgets) socket.data.received += chunk.toString("latin1");
          script(socket.data, this);
        },
        drain: (socket) => socket.data.flush(),
        end: (socket) => void (socket.data.hasEnded = true),
        close: (socket) => void (socket.data.isClosed = true),
      },
    });
    this.port = this.#listener.port;
  }

  /** The nth connection, from 0. */
  async connection(index: number): Promise<DaemonConnection> {
    return await eventually(`connection ${index} comes`, () => this.connections[index]);
  }

  /** All that came, by whichever connection. */
  get received(): string {
    return this.connections.map(({ received }) => received).join("");
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}

/** Answers each request without a body with these bytes. */
export function answering(reply: string): DaemonScript {
  return (connection) => {
    if (!connection.received.endsWith("\r\n\r\n")) return;
    connection.send(reply);
  };
}

/** "HTTP/1.1 200 OK" with this body. */
export function ok(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
