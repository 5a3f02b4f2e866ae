/**
 * Files of unix sockets: what is at a path before one is made there, a socket that appears under its name only when it is ready,
 * and its removal when it is still the one that was made.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, linkSync, lstatSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf } from "./system-error.ts";
import type { UserIds } from "./users.ts";

/** Nothing, a live owner's socket, one that a dead owner left, or something that is no socket. */
type Occupation = "free" | "live" | "dead" | "other";

/** What is in a socket's way: a live owner's, or something that is no socket. */
export type Obstacle = "live" | "other";

export interface SocketFile<Listener> {
  readonly listener: Listener;
  /** Removes the file, unless somebody else's has taken its place. */
  readonly remove: () => void;
}

export interface SocketFileOptions {
  /** A live owner's socket is replaced, too. */
  readonly takeOver?: boolean;
  /** Default: this process's user. */
  readonly owner?: UserIds | undefined;
}

interface Stoppable {
  stop(closeActive?: boolean): void;
}

/**
 * Makes a socket of mode 0600 at a path, in the place of one that a dead owner left. Of several that ask for a path at once, in
 * whatever processes, one gets it, and the others are told that it is in use.
 * @param listen at the path that it is given, which is not the final one.
 * @returns what is in the way, and was left alone.
 * @throws Error, with nothing left behind, when it cannot be made there.
 */
export async function makeSocketFile<Listener extends Stoppable>(
  path: string,
  listen: (path: string) => Listener,
  { takeOver = false, owner }: SocketFileOptions = {},
): Promise<SocketFile<Listener> | Obstacle> {
  const found = await occupationOf(path);
  if (found === "other" || (found === "live" && !takeOver)) return found;
  // May be longer than the system takes: Bun then goes by the folder's descriptor.
  const temporary = besides(path);
  const listener = listenAlone(temporary, listen, owner);
  let obstacle: Obstacle | undefined;
  try {
    if (takeOver) renameSync(temporary, path);
    else obstacle = await giveName(temporary, path);
  } catch (error) {
    listener.stop(true);
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  if (obstacle !== undefined) {
    listener.stop(true);
    return obstacle;
  }
  const inode = inodeOf(path);
  const remove = (): void => {
    if (inode !== undefined && inodeOf(path) === inode) rmSync(path, { force: true });
  };
  return { listener, remove };
}

/** A socket of its owner's alone. */
function listenAlone<Listener extends Stoppable>(path: string, listen: (path: string) => Listener, owner: UserIds | undefined): Listener {
  const before = process.umask(0o177);
  let listener: Listener | undefined;
  try {
    listener = listen(path);
    chmodSync(path, 0o600);
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    return listener;
  } catch (error) {
    listener?.stop(true);
    if (listener !== undefined) rmSync(path, { force: true });
    throw error;
  } finally {
    process.umask(before);
  }
}

/** A file system that knows no second names for a file. */
const linkless: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Gives a socket its name, where no live one has it: a link, unlike a rename, is refused where something is. */
async function giveName(socket: string, path: string): Promise<Obstacle | undefined> {
  for (;;) {
    const inode = inodeOf(path);
    const occupied = await occupationOf(path);
    if (occupied === "live" || occupied === "other") return occupied;
    if (occupied === "dead") removeDead(path, inode);
    try {
      linkSync(socket, path);
      return undefined;
    } catch (error) {
      const code = codeOf(error) ?? "";
      if (linkless.has(code)) return void renameSync(socket, path);
      // Somebody was quicker.
      if (code !== "EEXIST") throw error;
    }
  }
}

/** Removes a dead owner's socket. @param inode of the one that was found dead. */
function removeDead(path: string, inode: bigint | undefined): void {
  const aside = besides(path);
  try {
    renameSync(path, aside);
    // Another one removed it and has the place: it is given back.
    if (inodeOf(aside) !== inode) linkSync(aside, path);
  } catch {
    // It is gone, or a third one has the place.
  }
  rmSync(aside, { force: true });
}

/** What is at a path. A live socket is told by connecting to it. */
async function occupationOf(path: string): Promise<Occupation> {
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

/** Tells one file of a name from the next; undefined: there is none. */
function inodeOf(path: string): bigint | undefined {
  try {
    return lstatSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

/** A name in the same folder. In one where anybody may write, like /tmp, it must not be known beforehand. */
function besides(path: string): string {
  return join(dirname(path), `.${randomBytes(6).toString("base64url")}`);
}
