/**
 * What the kernel tells in /proc about running processes: who descends from whom, memory and CPU now (proc(5)). Read
 * only where a program runs long or must be ended; a program that comes and goes in milliseconds is never looked up.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";

/** USER_HZ: the unit of CPU times in /proc/pid/stat. It is 100 on every Linux that Bun runs on. */
const ticksPerSecond = 100;
/** Environments are looked through up to here. */
const environmentBytesMax = 256 * 1024;

export interface ProcessFigures {
  /** VmRSS. */
  readonly residentBytes: number;
  /** VmHWM: the most it ever was, since its exec. */
  readonly peakBytes: number;
  /** User and system time. */
  readonly cpuMs: number;
}

interface ProcessLine {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly cpuMs: number;
  /** Since boot, in ticks: with the pid it names a process for good. */
  readonly startTicks: number;
}

/** A process's figures, or undefined when it is gone. */
export function processFigures(pid: number): ProcessFigures | undefined {
  const line = readLine(pid);
  if (line === undefined || isDead(line)) return undefined;
  const status = readText(`/proc/${pid}/status`);
  if (status === undefined) return undefined;
  return { residentBytes: kilobytes(status, "VmRSS"), peakBytes: kilobytes(status, "VmHWM"), cpuMs: line.cpuMs };
}

/** What a process has resident now, and its CPU time with that of children that have ended and were waited for; undefined: it is gone. */
export function processUse(pid: number): { readonly residentBytes: number; readonly cpuMs: number } | undefined {
  const fields = readFields(pid);
  const status = readText(`/proc/${pid}/status`);
  if (fields === undefined || status === undefined) return undefined;
  const at = (field: number): number => Number(fields[field - 3]);
  const ticks = at(14) + at(15) + at(16) + at(17);
  return { residentBytes: kilobytes(status, "VmRSS"), cpuMs: (ticks * 1000) / ticksPerSecond };
}

/**
 * A process and those that descend from it, by what each says of its children (Linux 3.5, CONFIG_PROC_CHILDREN): without walking
 * through all processes of the machine. At most `processesMax`.
 */
export function descendantsOf(pid: number, processesMax = 10_000): number[] {
  const found = [pid];
  for (let at = 0; at < found.length && found.length < processesMax; at++) {
    for (const thread of threadsOf(found[at] ?? 0)) {
      const children = readText(`/proc/${found[at]}/task/${thread}/children`)?.trim() ?? "";
      if (children !== "") found.push(...children.split(" ").map(Number));
    }
  }
  return found;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** "R" running, "S" waiting, "T" stopped, "Z" ended and not yet known to be …; undefined when it is gone (proc(5)). */
export function processState(pid: number): string | undefined {
  return readLine(pid)?.state;
}

/** A process, its parent, and so on upwards, each with the leader of its session. */
export function lineageOf(pid: number): readonly { readonly pid: number; readonly session: number }[] {
  const found: ProcessLine[] = [];
  for (let line = readLine(pid); line !== undefined; line = line.parent === 0 ? undefined : readLine(line.parent)) found.push(line);
  return found;
}

/** When a process started, in ticks since boot; undefined when it is gone, or a zombie whose parent does not look after it. */
export function processStart(pid: number): number | undefined {
  const line = readLine(pid);
  return line === undefined || isDead(line) ? undefined : line.startTicks;
}

/** The most memory that this process itself ever took (VmHWM). */
export function ownPeakBytes(): number {
  return kilobytes(readText("/proc/self/status") ?? "", "VmHWM");
}

/** Every process below some pids, these included, as far as they live (zombies do not). */
export function processTree(roots: readonly number[]): number[] {
  return descendants(allProcesses(), new Set(roots));
}

/**
 * Every living process of a program that was started as the leader of a session of its own: its session, their
 * descendants, and whoever left the session but still carries `mark` ("REQUEST_ID=…") in the environment it was given.
 * Whoever asks is never part of it, nor are those above: a container's init carries what its runner was given.
 */
export function programTree(leader: number, mark: string): number[] {
  const processes = allProcesses();
  const above = ancestorsOf(process.pid, processes);
  const roots = new Set([leader]);
  for (const line of processes) {
    if (line.session === leader || (!above.has(line.pid) && !isDead(line) && carries(line.pid, mark))) roots.add(line.pid);
  }
  return descendants(processes, roots);
}

/** Living processes of this user, this one apart, whose environment at their start held a variable that begins so. */
export function processesWith(
  name: string,
  valueStart: string,
): { readonly pid: number; readonly environment: ReadonlyMap<string, string> }[] {
  const found = [];
  for (const line of allProcesses()) {
    if (line.pid === process.pid || isDead(line) || !isOwn(line.pid)) continue;
    const text = environmentOf(line.pid);
    if (!text.includes(`\0${name}=${valueStart}`)) continue;
    const entries = text.split("\0").map((entry): [string, string] => {
      const equals = entry.indexOf("=");
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    });
    found.push({ pid: line.pid, environment: new Map(entries) });
  }
  return found;
}

function isOwn(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === process.getuid?.();
}

/** A process and those above it. */
function ancestorsOf(pid: number, processes: readonly ProcessLine[]): Set<number> {
  const parents = new Map(processes.map((line) => [line.pid, line.parent]));
  const found = new Set<number>();
  for (let at: number | undefined = pid; at !== undefined && !found.has(at); at = parents.get(at)) found.add(at);
  return found;
}

function descendants(processes: readonly ProcessLine[], found: Set<number>): number[] {
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const line of processes) if (found.has(line.parent)) found.add(line.pid);
  }
  return processes.filter((line) => found.has(line.pid) && !isDead(line)).map((line) => line.pid);
}

function allProcesses(): ProcessLine[] {
  const lines: ProcessLine[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const line = Number.isInteger(pid) ? readLine(pid) : undefined;
    if (line !== undefined) lines.push(line);
  }
  return lines;
}

/** Of /proc/pid/stat, from its third field on. */
function readFields(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The name in parentheses may itself hold spaces and parentheses: the fields start behind the last one.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields === undefined || fields.length < 20 ? undefined : fields;
}

function readLine(pid: number): ProcessLine | undefined {
  const fields = readFields(pid);
  if (fields === undefined) return undefined;
  const at = (field: number): number => Number(fields[field - 3]);
  const cpuMs = ((at(14) + at(15)) * 1000) / ticksPerSecond;
  return { pid, state: fields[0] ?? "", parent: at(4), session: at(6), cpuMs, startTicks: at(22) };
}

function isDead(line: ProcessLine): boolean {
  return line.state === "Z" || line.state === "X";
}

function kilobytes(status: string, name: string): number {
  const start = status.indexOf(`\n${name}:`);
  return start < 0 ? 0 : Number.parseInt(status.slice(start + name.length + 2), 10) * 1024;
}

const environment = Buffer.alloc(environmentBytesMax);

function carries(pid: number, mark: string): boolean {
  return environmentOf(pid).includes(`\0${mark}\0`);
}

/** Each entry between NUL bytes; "" when it cannot be read. */
function environmentOf(pid: number): string {
  try {
    const file = openSync(`/proc/${pid}/environ`, "r");
    try {
      const bytes = readSync(file, environment, 0, environmentBytesMax, 0);
      return `\0${environment.toString("latin1", 0, bytes)}`;
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
