/** An instance's limits as the kernel's files take them, in both versions of control groups. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UsageFolder } from "./usage.ts";

const cpuPeriodUs = 100_000;
/** The smallest quota that the kernel takes (Documentation/scheduler/sched-bwc.rst). */
const cpuQuotaUsMin = 1000;

/** Memory and swap together. @throws Error, what the file system says: EBUSY, where it uses more already and cannot give it back. */
export function limitMemory({ version, folder }: UsageFolder, bytesMax: number): void {
  if (version === 2) {
    write(folder, "memory.max", bytesMax);
    tryWrite(folder, "memory.swap.max", 0);
    return;
  }
  write(folder, "memory.limit_in_bytes", bytesMax);
  tryWrite(folder, "memory.memsw.limit_in_bytes", bytesMax);
}

/** @param cpuMax CPUs' worth of time in each tenth of a second. */
export function limitCpu({ version, folder }: UsageFolder, cpuMax: number): void {
  const quotaUs = Math.max(cpuQuotaUsMin, Math.round(cpuMax * cpuPeriodUs));
  if (version === 2) return write(folder, "cpu.max", `${quotaUs} ${cpuPeriodUs}`);
  write(folder, "cpu.cfs_period_us", cpuPeriodUs);
  write(folder, "cpu.cfs_quota_us", quotaUs);
}

/**
 * Gives an instance a quarter of the weight that the host's own process has, which counts while there are fewer processors than work:
 * whoever hands requests out does not wait for whoever handles them, and is not interrupted by each that it wakes.
 */
export function weighLess({ version, folder }: UsageFolder): void {
  if (version === 2) tryWrite(folder, "cpu.weight", 25);
  else tryWrite(folder, "cpu.shares", 256);
}

/** Processes and threads. */
export function limitPids({ folder }: UsageFolder, pidsMax: number): void {
  write(folder, "pids.max", pidsMax);
}

/** Before Linux 5.11 a group of version 1 counts what is below it only when it is told so, before it has children. */
export function countWhatIsBelow(folder: string): void {
  tryWrite(folder, "memory.use_hierarchy", 1);
}

function write(folder: string, file: string, value: string | number): void {
  writeFileSync(join(folder, file), `${value}`);
}

/** For files that not every kernel has. */
function tryWrite(folder: string, file: string, value: string | number): void {
  try {
    write(folder, file, value);
  } catch {
    // Without swap accounting, or where it is the only choice, the file is missing or refuses.
  }
}
