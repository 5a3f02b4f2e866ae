/**
 * Which processes belong to a host that a test started. A mark in the environment tells: it is inherited through every
 * fork, by daemons that left their session and lost their parent too, where a walk of parents would miss them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "./eventually.ts";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** As in /proc/PID/stat: "R", "S", "Z" … */
  readonly state: string;
}

/**
 * Processes whose environment, or the names of whose control groups, hold one of the marks, and zombies whose parent is one of
 * them. What is inside a container does not know its host: its groups tell.
 */
export function processesMarked(marks: readonly string[]): Process[] {
  const all = processes();
  const marked = all.filter(({ pid }) => hasMark(readProc(pid, "environ"), marks) || hasMark(readProc(pid, "cgroup"), marks));
  const pids = new Set(marked.map(({ pid }) => pid));
  return [...marked, ...all.filter(({ pid, parent, state }) => state === "Z" && pids.has(parent) && !pids.has(pid))];
}

/** Whether a process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  const found = processOf(pid);
  return found !== undefined && found.state !== "Z";
}

/** Continues a process that was stopped, where its host has not ended it meanwhile. */
export function continueIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It is gone.
  }
}

/** Waits until none of these processes runs. */
export async function gone(pids: readonly number[], withinMs?: number): Promise<void> {
  await eventually(`processes ${pids.join(", ")} are gone`, () => !pids.some(isAlive), withinMs);
}

/** How many file descriptors a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, "status"))?.[1];
  return Number(kib ?? Number.NaN) * 1024;
}

/** The most resident memory that a process ever had, in bytes. */
export function peakResidentBytes(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(pid, "status"))?.[1];
  return Number(kib ?? Number.NaN) * 1024;
}

function hasMark(text: string, marks: readonly string[]): boolean {
  return marks.some((mark) => text.includes(mark));
}

function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processOf(Number(name)))
    .filter((found) => found !== undefined);
}

function processOf(pid: number): Process | undefined {
  // "pid (command) state parent …": the command may hold spaces and parentheses.
  const stat = readProc(pid, "stat");
  const end = stat.lastIndexOf(")");
  if (end < 0) return undefined;
  const [state = "", parent = ""] = stat.slice(end + 2).split(" ");
  const command = readProc(pid, "cmdline").replaceAll("\0", " ").trim() || stat.slice(stat.indexOf("(") + 1, end);
  return { pid, parent: Number(parent), command, state };
}

/** Empty for a process that has ended meanwhile. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
