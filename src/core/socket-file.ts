/**
 * Files of unix sockets: what is at a path before one is made there, a socket that appears under its name only when it is ready,
 * and its removal when it is still the one that was made.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, lstatSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { UserIds } from "./users.ts";

/** Nothing, a live owner's socket, one that a dead owner left, or something that is no socket. */
export type Occupation = "free" | "live" | "dead" | "other";

/** What is at a path. A live socket is told by connecting to it. */
export async function occupationOf(path: string): Promise<Occupation> {
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

export interface SocketFile<Listener> {
  readonly listener: Listener;
  /** Removes the file, unless somebody else's has taken its place. */
  readonly remove: () => void;
}

/**
 * Makes a socket of mode 0600 at a path, in the place of what is there.
 * @param listen at the path that it is given, which is not the final one.
 * @param owner default: this process's user.
 * @throws Error, with nothing left behind, when it cannot be made there.
 */
export function makeSocketFile<Listener extends { stop(closeActive?: boolean): void }>(
  path: string,
  listen: (path: string) => Listener,
  owner?: UserIds,
): SocketFile<Listener> {
  // May be longer than the system takes: Bun then goes by the folder's descriptor.
  const temporary = join(dirname(path), temporaryName());
  const before = process.umask(0o177);
  let listener: Listener | undefined;
  try {
    listener = listen(temporary);
    chmodSync(temporary, 0o600);
    if (owner !== undefined) chownSync(temporary, owner.uid, owner.gid);
    renameSync(temporary, path);
  } catch (error) {
    listener?.stop(true);
    if (listener !== undefined) rmSync(temporary, { force: true });
    throw error;
  } finally {
    process.umask(before);
  }
  const inode = inodeOf(path);
  const remove = (): void => {
    if (inode !== undefined && inodeOf(path) === inode) rmSync(path, { force: true });
  };
  return { listener, remove };
}

/** Tells one file of a name from the next; undefined: there is none. */
function inodeOf(path: string): bigint | undefined {
  try {
    return lstatSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

/** A socket's name until it is ready: in a folder where anybody may write, like /tmp, it must not be known beforehand. */
function temporaryName(): string {
  return `.${randomBytes(6).toString("base64url")}`;
}
