/**
 * Where a listener listens: a TCP address, or a unix socket that appears under its name only when it is ready, is never taken from a
 * live owner, and is removed at the end when it is still ours.
 */
import { isIPv6 } from "node:net";
import type { SocketHandler } from "bun";
import type { Listener } from "../config/app.ts";
import { makeSocketFile, type Obstacle } from "../core/socket-file.ts";
import { socketPathBytesMax } from "../core/socket-path.ts";
import { codeOf, reasonOf } from "../core/system-error.ts";

export interface ListeningSocket {
  /** "tcp://127.0.0.1:1234", "tcp://[::1]:1234", "unix:/run/fib.sock" */
  readonly url: string;
  /** Accepts nobody any more. Open connections stay. */
  stop(): void;
}

export interface ListenFailure {
  readonly message: string;
  /** What to do. */
  readonly hint: string;
}

export type Listened = { readonly ok: true; readonly socket: ListeningSocket } | { readonly ok: false; readonly failure: ListenFailure };

export async function listenAt<Data>(at: Listener["at"], socket: SocketHandler<Data, "buffer">): Promise<Listened> {
  return at.kind === "tcp" ? listenOnTcp(at.address, at.port, socket) : await listenOnUnix(at.path, socket);
}

function listenOnTcp<Data>(address: string, port: number, socket: SocketHandler<Data, "buffer">): Listened {
  try {
    const listener = Bun.listen<Data>({ hostname: address, port, allowHalfOpen: true, socket });
    return { ok: true, socket: { url: `tcp://${inBrackets(address)}:${listener.port}`, stop: () => listener.stop() } };
  } catch (error) {
    return { ok: false, failure: tcpFailure(address, port, error) };
  }
}

function tcpFailure(address: string, port: number, error: unknown): ListenFailure {
  const where = `Cannot listen on tcp ${inBrackets(address)}:${port}`;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return {
        message: `${where}: it is in use`,
        hint: `Choose another port in the service file's listeners, or see who has it: ss -ltnp "sport = :${port}"`,
      };
    case "EACCES":
      return {
        message: `${where}: ports below 1024 need root or CAP_NET_BIND_SERVICE`,
        hint: "Choose a port from 1024 in the service file's listeners",
      };
    case "EADDRNOTAVAIL":
      return {
        message: `${where}: this machine does not have the address`,
        hint: "Choose 127.0.0.1, ::1, 0.0.0.0, :: or one that 'ip addr' shows in the service file's listeners",
      };
    default:
      return { message: `${where}: ${reasonOf(error)}`, hint: "Choose another address in the service file's listeners" };
  }
}

async function listenOnUnix<Data>(path: string, socket: SocketHandler<Data, "buffer">): Promise<Listened> {
  const where = `Cannot listen on unix ${path}`;
  const bytes = Buffer.byteLength(path);
  if (bytes > socketPathBytesMax) {
    const message = `${where}: its path has ${bytes} bytes, the system takes ${socketPathBytesMax}`;
    return { ok: false, failure: { message, hint: "Name a shorter path" } };
  }
  try {
    const made = await makeSocketFile(path, (unix) => Bun.listen<Data>({ unix, allowHalfOpen: true, socket }));
    if (made === "live" || made === "other") return { ok: false, failure: obstacleFailure(path, made) };
    const { listener, remove } = made;
    const stop = (): void => {
      listener.stop();
      remove();
    };
    return { ok: true, socket: { url: `unix:${path}`, stop } };
  } catch (error) {
    const message = `${where}: ${reasonOf(error)}`;
    return { ok: false, failure: { message, hint: "Name a path in a folder that exists and that you may write to" } };
  }
}

function obstacleFailure(path: string, obstacle: Obstacle): ListenFailure {
  const where = `Cannot listen on unix ${path}`;
  switch (obstacle) {
    case "other":
      return { message: `${where}: a file that is not a socket is there`, hint: "Remove it, or name another path" };
    case "live":
      return {
        message: `${where}: it is in use by a running process`,
        hint: `Choose another path in the service file's listeners, or see who has it: ss -lxp src "${path}"`,
      };
  }
}

function inBrackets(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}
