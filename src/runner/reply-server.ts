/**
 * The reply sockets of an instance: unix sockets of mode 0600 that appear under their names only when they are ready,
 * are never taken from a live owner, and are removed at the end when they are still this instance's.
 */
import type { UnixSocketListener } from "bun";
import { makeSocketFile, type SocketFile } from "../core/socket-file.ts";
import { socketPathBytesMax } from "../core/socket-path.ts";
import type { Ticked } from "../core/ticker.ts";
import type { UserIds } from "../core/users.ts";
import { answerText, tooManyConnections } from "./reply-answer.ts";
import { ReplyConnection, type ReplyDesk } from "./reply-connection.ts";

export const connectionsMax = 1024;
/** Connections are looked through for idle ones this often. */
const idleCheckMs = 1000;

export type OpenedSocket = { readonly ok: true } | { readonly ok: false; readonly inUse: boolean; readonly message: string };

export class ReplyServer implements Ticked {
  readonly #desk: ReplyDesk;
  readonly #onOpen: () => void;
  readonly #sockets: SocketFile<UnixSocketListener<ReplyConnection>>[] = [];
  readonly #connections = new Set<ReplyConnection>();
  #checkedAt = 0;

  /** @param onOpen is told of each new connection: from then on `tick` has to be called. */
  constructor(desk: ReplyDesk, onOpen: () => void) {
    this.#desk = desk;
    this.#onOpen = onOpen;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Whether some connection may still turn out to carry a reply. */
  get hasUnattributed(): boolean {
    for (const connection of this.#connections) if (connection.isUnattributed) return true;
    return false;
  }

  /**
   * Listens at a path.
   * @param takeOver whether a live owner of the path is replaced; else its path is refused.
   * @param owner the user whose programs reply there; default: the runner's own.
   */
  async open(path: string, takeOver: boolean, owner?: UserIds): Promise<OpenedSocket> {
    const bytes = Buffer.byteLength(path);
    if (bytes > socketPathBytesMax) {
      return {
        ok: false,
        inUse: false,
        message: `cannot make the reply socket "${path}": ${bytes} bytes, the system takes ${socketPathBytesMax}`,
      };
    }
    try {
      const listen = (unix: string) => Bun.listen<ReplyConnection>({ unix, allowHalfOpen: true, socket: this.#handlers() });
      const made = await makeSocketFile(path, listen, { takeOver, owner });
      if (made === "other")
        return { ok: false, inUse: false, message: `cannot make the reply socket "${path}": a file that is not a socket is there` };
      if (made === "live")
        return { ok: false, inUse: true, message: `cannot make the reply socket "${path}": it is in use by a running process` };
      this.#sockets.push(made);
      return { ok: true };
    } catch (error) {
      return {
        ok: false,
        inUse: false,
        message: `cannot make the reply socket "${path}": ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }

  tick(nowMs: number): void {
    if (nowMs - this.#checkedAt < idleCheckMs) return;
    this.#checkedAt = nowMs;
    for (const connection of this.#connections) connection.checkIdle(nowMs);
  }

  /** Stops listening and removes the socket files that are still this server's. */
  close(): void {
    for (const { listener, remove } of this.#sockets.splice(0)) {
      listener.stop(true);
      remove();
    }
  }

  #handlers(): Bun.SocketHandler<ReplyConnection, "buffer"> {
    return {
      binaryType: "buffer",
      open: (socket) => {
        if (this.#connections.size >= connectionsMax) {
          socket.end(answerText(tooManyConnections, true));
          return;
        }
        socket.data = new ReplyConnection(this.#desk, socket);
        this.#connections.add(socket.data);
        this.#onOpen();
      },
      data: (socket, chunk) => socket.data?.received(chunk),
      drain: (socket) => socket.data?.writable(),
      end: (socket) => (socket.data === undefined ? void socket.end() : socket.data.halfClosed()),
      close: (socket) => {
        if (socket.data === undefined) return;
        this.#connections.delete(socket.data);
        socket.data.closed();
      },
      error: (socket) => socket.terminate(),
    };
  }
}
