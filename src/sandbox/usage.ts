/**
 * What an instance's control groups say of its use, in both versions' words: Documentation/admin-guide/cgroup-v2.rst of
 * the kernel's sources, and for version 1 the files of Documentation/admin-guide/cgroup-v1 (memory.rst, cpuacct.rst, pids.rst)
 * and of Documentation/scheduler/sched-bwc.rst.
 */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { descendantsOf, processUse } from "./process-figures.ts";
import type { InstanceUsage } from "./sandbox.ts";

/** A group of one hierarchy, and in which version's words it speaks. */
export interface UsageFolder {
  readonly version: 1 | 2;
  /** Absolute. */
  readonly folder: string;
}

/** The groups that tell an instance's use, with all that is below them. In version 2 they are the same folder. */
export interface UsageFolders {
  readonly memory?: UsageFolder;
  readonly cpu?: UsageFolder;
  /** Version 1 alone: where CPU time is counted, where that is not `cpu`'s own hierarchy. */
  readonly cpuacct?: UsageFolder;
  readonly pids?: UsageFolder;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** More than any of these files has. */
const text = Buffer.alloc(16 * 1024);
/** How deep below an instance's memory group its processes are: the group of programs, and a slot in it. */
const depthMax = 2;

/** What the groups say now. What no file says is absent; groups that are gone say nothing. */
export function readUsage(folders: UsageFolders): InstanceUsage {
  const usage: Mutable<InstanceUsage> = {};
  if (folders.memory !== undefined) readMemory(folders.memory, usage);
  const throttled = folders.cpu === undefined ? undefined : readThrottled(folders.cpu);
  if (throttled !== undefined) usage.throttledMs = throttled;
  const cpuMs = readCpu(folders);
  if (cpuMs !== undefined) usage.cpuMs = cpuMs;
  if (folders.pids !== undefined) readPids(folders.pids, usage);
  return usage;
}

/** What an instance uses: by its groups, and where these do not tell its memory, by the processes below the runner's. */
export function usageOf(folders: UsageFolders, pid: number | undefined): InstanceUsage {
  const usage = readUsage(folders);
  return usage.memoryBytes !== undefined || pid === undefined ? usage : { ...processUsage(pid), ...usage };
}

/**
 * What a process and its descendants use, for an instance that has no control groups: of memory what is resident now, pages
 * that several share counted for each, and of CPU also what ended children took that were waited for. Without a peak: none is the sum's.
 */
export function processUsage(pid: number): InstanceUsage {
  let memoryBytes = 0;
  let cpuMs = 0;
  let pids = 0;
  for (const one of descendantsOf(pid)) {
    const use = processUse(one);
    if (use === undefined) continue;
    memoryBytes += use.residentBytes;
    cpuMs += use.cpuMs;
    pids++;
  }
  return pids === 0 ? {} : { memoryBytes, cpuMs, pids };
}

/**
 * Memory in use is what could not be given back at once: without page cache that has not been read again, as the kubelet counts
 * its working set. The peak is the kernel's and has all of it.
 */
function readMemory({ version, folder }: UsageFolder, usage: Mutable<InstanceUsage>): void {
  const [current, peak, idle] =
    version === 1
      ? (["memory.usage_in_bytes", "memory.max_usage_in_bytes", "total_inactive_file"] as const)
      : (["memory.current", "memory.peak", "inactive_file"] as const);
  const bytes = readNumber(folder, current);
  if (bytes !== undefined) usage.memoryBytes = Math.max(0, bytes - (readField(folder, "memory.stat", idle) ?? 0));
  // In version 2 since Linux 5.19.
  const peakBytes = readNumber(folder, peak);
  if (peakBytes !== undefined) usage.memoryPeakBytes = peakBytes;
  const kills = version === 1 ? killsBelow(folder, depthMax) : readField(folder, "memory.events", "oom_kill");
  if (kills !== undefined) usage.oomKills = kills;
}

/** Version 1 counts a kill in the group of what was killed, and not in those above it. */
function killsBelow(folder: string, depth: number): number | undefined {
  // Since Linux 4.13.
  let kills = readField(folder, "memory.oom_control", "oom_kill");
  if (kills === undefined || depth === 0) return kills;
  for (const child of childrenOf(folder)) kills += killsBelow(join(folder, child), depth - 1) ?? 0;
  return kills;
}

function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}

/** Absent where no CPU limit can be set. */
function readThrottled({ version, folder }: UsageFolder): number | undefined {
  const nanoseconds = version === 1 ? readField(folder, "cpu.stat", "throttled_time") : undefined;
  if (nanoseconds !== undefined) return nanoseconds / 1e6;
  const microseconds = version === 2 ? readField(folder, "cpu.stat", "throttled_usec") : undefined;
  return microseconds === undefined ? undefined : microseconds / 1000;
}

function readCpu({ cpu, cpuacct, memory, pids }: UsageFolders): number | undefined {
  // Every group of version 2 has cpu.stat, with usage_usec in it, whether or not the controller is there.
  const v2 = [cpu, memory, pids].find((place) => place?.version === 2);
  const microseconds = v2 === undefined ? undefined : readField(v2.folder, "cpu.stat", "usage_usec");
  if (microseconds !== undefined) return microseconds / 1000;
  const v1 = cpuacct ?? (cpu?.version === 1 ? cpu : undefined);
  const nanoseconds = v1 === undefined ? undefined : readNumber(v1.folder, "cpuacct.usage");
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6;
}

function readPids({ folder }: UsageFolder, usage: Mutable<InstanceUsage>): void {
  const pids = readNumber(folder, "pids.current");
  if (pids !== undefined) usage.pids = pids;
  const refused = readField(folder, "pids.events", "max");
  if (refused !== undefined) usage.pidsRefused = refused;
}

/** A file that holds a number alone. */
function readNumber(folder: string, file: string): number | undefined {
  const content = read(join(folder, file));
  const number = content === undefined ? Number.NaN : Number.parseInt(content, 10);
  return Number.isNaN(number) ? undefined : number;
}

/** Of a file with a name and a number in each line. */
function readField(folder: string, file: string, name: string): number | undefined {
  const content = read(join(folder, file));
  if (content === undefined) return undefined;
  const at = content.startsWith(`${name} `) ? 0 : content.indexOf(`\n${name} `) + 1;
  if (at === 0 && !content.startsWith(`${name} `)) return undefined;
  const number = Number.parseInt(content.slice(at + name.length + 1), 10);
  return Number.isNaN(number) ? undefined : number;
}

function read(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    return text.toString("latin1", 0, readSync(file, text, 0, text.length, 0));
  } catch {
    // ENODEV: the group was removed between the two.
    return undefined;
  } finally {
    closeSync(file);
  }
}
