/**
 * CPU and memory of a server and its workers, read from /proc (proc(5)). The server's own time and that of the programs
 * it started and waited for are kept apart: the kernel adds a child's time to its parent's `cutime` when it is reaped.
 */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ: the unit of /proc/PID/stat, 100 on every Linux architecture that Bun runs on. */
const microsecondsPerTick = 10_000;

export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** One letter: "R" running, "S" sleeping, "T" stopped … */
  readonly state: string;
  /** When it started, in ticks since boot: with the pid, the identity of a process. */
  readonly startTick: number;
  /** User and system time of the process itself, µs, in steps of 10 ms. */
  readonly ownUs: number;
  /** The same of its children that ended and were waited for. */
  readonly reapedUs: number;
}

/** Reads the text of /proc/PID/stat. The command may hold blanks and parentheses, so fields count from its last one. */
export function parseStat(text: string): ProcessStat {
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const ticks = (at: number): number => Number(fields[at] ?? Number.NaN);
  return {
    pid: Number.parseInt(text, 10),
    parent: ticks(1),
    command: text.slice(text.indexOf("(") + 1, close),
    state: fields[0] ?? "",
    startTick: ticks(19),
    ownUs: (ticks(11) + ticks(12)) * microsecondsPerTick,
    reapedUs: (ticks(13) + ticks(14)) * microsecondsPerTick,
  };
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return otherwise; // it ended meanwhile
  }
}

/** These processes and all that descend from them, now. */
export function processTree(roots: readonly number[]): readonly ProcessStat[] {
  const all = readProcesses(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number),
  );
  return descendants(all, roots);
}

/** Those of them that have not ended. */
export function readProcesses(pids: readonly number[]): readonly ProcessStat[] {
  return pids
    .map((pid) => readOr(`/proc/${pid}/stat`, ""))
    .filter((text) => text !== "")
    .map(parseStat);
}

/** Of all processes these and their descendants. */
export function descendants(all: readonly ProcessStat[], roots: readonly number[]): readonly ProcessStat[] {
  const members = new Set(roots);
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
  return all.filter(({ pid }) => members.has(pid));
}

/** What was used between two readings of a tree, in µs. A process that was not there before began at nothing. */
export function usedBetween(
  before: readonly ProcessStat[],
  after: readonly ProcessStat[],
): { readonly ownUs: number; readonly programsUs: number } {
  const earlier = new Map(before.map((stat) => [stat.pid, stat]));
  let ownUs = 0;
  let programsUs = 0;
  for (const stat of after) {
    ownUs += stat.ownUs - (earlier.get(stat.pid)?.ownUs ?? 0);
    programsUs += stat.reapedUs - (earlier.get(stat.pid)?.reapedUs ?? 0);
  }
  return { ownUs, programsUs };
}

/** Resident memory of these processes in bytes: `rss` counts shared pages in each, `pss` divides them (0 where it may not be read). */
export function memoryOf(pids: readonly number[]): { readonly rssBytes: number; readonly pssBytes: number } {
  let rssBytes = 0;
  let pssBytes = 0;
  for (const pid of pids) {
    rssBytes += kibibytes(readOr(`/proc/${pid}/status`, ""), "VmRSS") * 1024;
    pssBytes += kibibytes(readOr(`/proc/${pid}/smaps_rollup`, ""), "Pss") * 1024;
  }
  return { rssBytes, pssBytes };
}

function kibibytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}
