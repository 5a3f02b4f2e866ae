/**
 * Where processes listen for TCP connections (proc(5), /proc/net/tcp): read when a daemon is not found where it should be,
 * so that its author is told where it is instead.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ListeningAddress {
  /** "127.0.0.1", "0.0.0.0", "::". */
  readonly host: string;
  readonly port: number;
}

/** TCP_LISTEN of the kernel's include/net/tcp_states.h. */
const listening = "0A";
/** Columns of /proc/net/tcp: number, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode. */
const localColumn = 1;
const stateColumn = 3;
const inodeColumn = 9;

/** Addresses on which some of these processes listen, in this process's own network namespace. What cannot be read is not told. */
export function listeningAddresses(pids: readonly number[]): readonly ListeningAddress[] {
  const inodes = new Set(pids.flatMap(socketsOf));
  if (inodes.size === 0) return [];
  return ["/proc/self/net/tcp", "/proc/self/net/tcp6"].flatMap((table) => parseSocketTable(read(table), inodes));
}

/** Listening sockets of a table that have one of these inodes. */
export function parseSocketTable(table: string, inodes: ReadonlySet<string>): ListeningAddress[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      if (columns[stateColumn] !== listening || !inodes.has(columns[inodeColumn] ?? "")) return [];
      const [host = "", port = ""] = (columns[localColumn] ?? "").split(":");
      return [{ host: hostOf(host), port: Number.parseInt(port, 16) }];
    });
}

/** The kernel prints each 32 bits of an address as a number of the machine: the bytes of a word are the other way round. */
function hostOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, "hex").reverse()]);
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16));
  // A URL's host is spelled as RFC 5952 asks.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** Inodes of a process's sockets. */
function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(target(`${folder}/${fd}`))?.[1] ?? []);
  } catch {
    // It has ended, or is another user's.
    return [];
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
