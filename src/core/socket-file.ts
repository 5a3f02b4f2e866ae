/** Files of unix sockets: what is at a path before one is made there, and whether it is still the one that was made. */
import { randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";

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

/** Tells one file of a name from the next; undefined: there is none. */
export function inodeOf(path: string): bigint | undefined {
  try {
    return lstatSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

/** A socket's name until it is ready: in a folder where anybody may write, like /tmp, it must not be known beforehand. */
export function temporarySocketName(): string {
  return `.${randomBytes(6).toString("base64url")}`;
}
