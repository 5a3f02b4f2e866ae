/**
 * The reply sockets of an instance: unix sockets of mode 0600 that appear under their names only when they are ready,
 * are never taken from a live owner, and are removed at the end when they are still this instance's.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, lstatSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { UnixSocketListener } from "bun";
import { socketPathBytesMax } from "../core/socket-path.ts";
import type { Ticked } from "../core/ticker.ts";
import type { UserIds } from "./program-plan.ts";
import { answerText, tooManyConnections } from "./reply-answer.ts";
import { ReplyConnection, type ReplyDesk } from "./reply-connection.ts";

export const connectionsMax = 1024;
/** Connections are looked through for idle ones this often. */
const idleCheckMs = 1000;

export type OpenedSocket = { readonly ok: true } | { readonly ok: false; readonly inUse: boolean; readonly message: string };

interface OpenSocket {
  readonly path: string;
  readonly inode: bigint;
  readonly listener: UnixSocketListener<ReplyConnection>;
}

export class ReplyServer implements Ticked {
  readonly #desk: ReplyDesk;
  readonly #onOpen: () => void;
  readonly #sockets: OpenSocket[] = [];
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
    const occupied = await occupation(path);
    if (occupied === "other")
      return { ok: false, inUse: false, message: `cannot make the reply socket "${path}": a file that is not a socket is there` };
    if (occupied === "live" && !takeOver)
      return { ok: false, inUse: true, message: `cannot make the reply socket "${path}": it is in use by a running process` };
    try {
      this.#sockets.push(this.#listen(path, owner));
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
    for (const { path, inode, listener } of this.#sockets.splice(0)) {
      listener.stop(true);
      if (inodeOf(path) === inode) unlinkSync(path);
    }
  }

  #listen(path: string, owner: UserIds | undefined): OpenSocket {
    // May be longer than the system takes: Bun then goes by the folder's descriptor.
    const temporary = join(dirname(path), temporaryName());
    const before = process.umask(0o177);
    let listener: UnixSocketListener<ReplyConnection> | undefined;
    try {
      listener = Bun.listen<ReplyConnection>({ unix: temporary, allowHalfOpen: true, socket: this.#handlers() });
      chmodSync(temporary, 0o600);
      if (owner !== undefined) chownSync(temporary, owner.uid, owner.gid);
      renameSync(temporary, path);
      return { path, inode: inodeOf(path) ?? 0n, listener };
    } catch (error) {
      listener?.stop(true);
      if (listener !== undefined) rmSync(temporary, { force: true });
      throw error;
    } finally {
      process.umask(before);
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

/** A socket's name until it is ready: in a folder where anybody may write, like /tmp, it must not be known beforehand. */
function temporaryName(): string {
  return `.${randomBytes(6).toString("base64url")}`;
}

/** What is at a socket's path: nothing, a live owner's socket, one that a dead owner left, or something else. */
async function occupation(path: string): Promise<"free" | "live" | "dead" | "other"> {
  try {
    if (!lstatSync(path).isSocket()) return "other";
  } catch {
    return "free";
  }
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } });
    socket.terminate();
    return "live";
  } catch {
    // ECONNREFUSED: nobody listens.
    return "dead";
  }
}

function inodeOf(path: string): bigint | undefined {
  try {
    return lstatSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}
