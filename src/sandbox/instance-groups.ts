/**
 * The control groups of an instance: made by the host before the runner starts, removed when it has ended. They hold
 * the instance's limits and are the place of its memory slots. A group's name carries its host (pid and start time), so
 * that what a killed host left behind is known as such and swept away by the next.
 *
 * Version 1: memory is limited where the programs are, so that the kernel never picks the runner to kill; CPU and
 * processes are limited where the runner is, and its programs inherit that. Version 2: the runner and its programs are
 * siblings below the instance's group, which limits CPU and processes; the programs' group limits memory. Functions run in
 * the runner itself: where an app has some, the memory limit holds for the runner too.
 *
 * Moving a process into a group can take the kernel ten milliseconds: an instance without limits and programs has no groups.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Controller, type ControllerPlace, findController } from "./control-groups.ts";
import { readProcesses, removeGroup } from "./memory-slots.ts";
import { processStart } from "./process-figures.ts";

const cpuPeriodUs = 100_000;
const prefix = "urocket";
/** How deep groups are looked through when an instance's are removed. */
const depthMax = 3;

export interface InstanceLimits {
  readonly memoryBytesMax?: number;
  readonly cpuMax?: number;
  readonly pidsMax?: number;
}

/** What runs in an instance. */
export interface InstanceContent {
  readonly programs: boolean;
  /** In the runner itself. */
  readonly functions: boolean;
}

export interface InstanceGroups {
  /** Where the runner makes its memory slots; absent when groups cannot be made here. */
  readonly memorySlots?: { readonly version: 1 | 2; readonly folder: string };
  /** Groups that the runner's process has to be moved into. */
  readonly runnerFolders: readonly string[];
  /** Top folders, for removal. */
  readonly folders: readonly string[];
}

export type MemoryAccounting =
  | { readonly kind: "cgroup"; readonly version: 1 | 2; readonly folder: string }
  | { readonly kind: "none"; readonly reason: string };

/** Whether a program's peak memory can be measured here, for the start message. */
export function detectMemoryAccounting(): MemoryAccounting {
  const found = findController("memory");
  return found.ok ? { kind: "cgroup", ...found.place } : { kind: "none", reason: found.reason };
}

/**
 * Makes an instance's groups and sets its limits.
 * @returns the groups, and for each limit that cannot be held here a sentence that says why.
 */
export function makeInstanceGroups(
  instance: string,
  limits: InstanceLimits,
  content: InstanceContent = { programs: true, functions: false },
): { groups: InstanceGroups; notHeld: string[] } {
  const making = new Making(groupName(instance));
  const memory = making.memory(limits.memoryBytesMax, content);
  if (limits.cpuMax !== undefined) making.limit("cpu", `limits.cpu ${limits.cpuMax}`, cpuFiles(limits.cpuMax));
  if (limits.pidsMax !== undefined) making.limit("pids", `limits.pids ${limits.pidsMax}`, () => [["pids.max", `${limits.pidsMax}`]]);
  const groups = {
    runnerFolders: [...making.runnerFolders],
    folders: [...making.folders],
    ...(memory === undefined ? {} : { memorySlots: memory }),
  };
  return { groups, notHeld: making.notHeld };
}

/**
 * Makes the groups of an instance whose limits are not known yet, for any that may come: `makeInstanceGroups` for the same
 * instance then sets them.
 */
export function makeUnlimitedGroups(instance: string): InstanceGroups {
  const making = new Making(groupName(instance));
  making.memory(undefined, { programs: true, functions: true });
  making.limit("cpu", "", () => []);
  making.limit("pids", "", () => []);
  const memory = findController("memory");
  if (memory.ok && memory.place.version === 1) making.runnerFolders.add(join(memory.place.folder, groupName(instance)));
  return { runnerFolders: [...making.runnerFolders], folders: [...making.folders] };
}

/**
 * Moves a runner that has just been started into its instance's groups. Programs that it starts inherit them. The kernel may
 * take its time; the caller's thread does not wait for it.
 * @param joined groups that the runner is in already.
 */
export async function joinInstanceGroups(groups: InstanceGroups, pid: number, joined?: InstanceGroups): Promise<void> {
  const missing = groups.runnerFolders.filter((folder) => joined?.runnerFolders.includes(folder) !== true);
  await Promise.all(missing.map((folder) => writeFile(join(folder, "cgroup.procs"), `${pid}`)));
}

/** Every process that is in an instance's groups. */
export function processesOfInstance(groups: InstanceGroups): number[] {
  return groups.folders.flatMap((folder) => groupsBelow(folder).flatMap(readProcesses));
}

/** Removes an instance's groups. False: a process is still in one of them; try again when it is gone. */
export function removeInstanceGroups(groups: InstanceGroups): boolean {
  return groups.folders.map(removeTree).every(Boolean);
}

/**
 * Ends what groups of hosts that are no more still hold, and removes them.
 * @returns the names of groups that were removed.
 */
export function sweepGroups(): string[] {
  const swept: string[] = [];
  for (const controller of ["memory", "cpu", "pids"] as const) {
    const found = findController(controller);
    if (!found.ok) continue;
    for (const name of readdirSync(found.place.folder)) {
      if (!isAbandoned(name)) continue;
      const folder = join(found.place.folder, name);
      for (const pid of groupsBelow(folder).flatMap(readProcesses)) endProcess(pid);
      if (removeTree(folder)) swept.push(name);
    }
  }
  return [...new Set(swept)];
}

/** Whether a group's name is one of ours and its host is gone: no process of that pid and start time. */
export function isAbandoned(name: string): boolean {
  const parts = /^urocket-(\d+)-(\d+)-/.exec(name);
  return parts !== null && processStart(Number(parts[1])) !== Number(parts[2]);
}

function groupName(instance: string): string {
  return `${prefix}-${process.pid}-${processStart(process.pid) ?? 0}-${instance}`;
}

type LimitFiles = (version: 1 | 2) => readonly (readonly [file: string, value: string])[];

function cpuFiles(cpuMax: number): LimitFiles {
  const quotaUs = Math.max(1000, Math.round(cpuMax * cpuPeriodUs));
  return (version) =>
    version === 1
      ? [
          ["cpu.cfs_period_us", `${cpuPeriodUs}`],
          ["cpu.cfs_quota_us", `${quotaUs}`],
        ]
      : [["cpu.max", `${quotaUs} ${cpuPeriodUs}`]];
}

class Making {
  readonly folders = new Set<string>();
  readonly runnerFolders = new Set<string>();
  readonly notHeld: string[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  memory(bytesMax: number | undefined, { programs, functions }: InstanceContent): InstanceGroups["memorySlots"] {
    if (bytesMax === undefined && !programs) return undefined;
    const found = findController("memory");
    try {
      if (!found.ok) throw new Error(found.reason);
      const { version } = found.place;
      const slots = this.#programsFolder(found.place);
      if (bytesMax !== undefined) {
        const whole = this.#folder(found.place);
        limitMemory(version, functions ? whole : slots, bytesMax);
        if (functions && version === 1) this.runnerFolders.add(whole);
      }
      return programs ? { version, folder: slots } : undefined;
    } catch (error) {
      if (bytesMax !== undefined) this.#refuse(`limits.memory ${bytesMax} bytes`, error);
      return undefined;
    }
  }

  limit(controller: Controller, words: string, files: LimitFiles): void {
    const found = findController(controller);
    try {
      if (!found.ok) throw new Error(found.reason);
      const folder = this.#folder(found.place);
      for (const [file, value] of files(found.place.version)) writeFileSync(join(folder, file), value);
      if (found.place.version === 1) this.runnerFolders.add(folder);
      else this.#runnerLeaf(folder);
    } catch (error) {
      this.#refuse(words, error);
    }
  }

  #refuse(words: string, error: unknown): void {
    this.notHeld.push(`${words} is not held: ${error instanceof Error ? error.message : String(error)}`);
  }

  #folder(place: ControllerPlace): string {
    const folder = join(place.folder, this.#name);
    mkdirSync(folder, { recursive: true });
    this.folders.add(folder);
    return folder;
  }

  #programsFolder(place: ControllerPlace): string {
    const folder = this.#folder(place);
    if (place.version === 1) return folder;
    this.#runnerLeaf(folder);
    writeFileSync(join(folder, "cgroup.subtree_control"), "+memory");
    const programs = join(folder, "programs");
    mkdirSync(programs, { recursive: true });
    writeFileSync(join(programs, "cgroup.subtree_control"), "+memory");
    return programs;
  }

  #runnerLeaf(folder: string): void {
    const runner = join(folder, "runner");
    mkdirSync(runner, { recursive: true });
    this.runnerFolders.add(runner);
  }
}

function limitMemory(version: 1 | 2, folder: string, bytesMax: number): void {
  if (version === 2) {
    writeFileSync(join(folder, "memory.max"), `${bytesMax}`);
    tryWrite(join(folder, "memory.swap.max"), "0");
    return;
  }
  // Before Linux 5.11 a group counts what is below it only when told to, before it has children.
  tryWrite(join(folder, "memory.use_hierarchy"), "1");
  writeFileSync(join(folder, "memory.limit_in_bytes"), `${bytesMax}`);
  tryWrite(join(folder, "memory.memsw.limit_in_bytes"), `${bytesMax}`);
}

/** For files that not every kernel has. */
function tryWrite(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch {
    // Without swap accounting, or where it is the only choice, the file is missing or refuses.
  }
}

function groupsBelow(folder: string, depth = 0): string[] {
  try {
    const children = depth < depthMax ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
    return [...children.flatMap((entry) => groupsBelow(join(folder, entry.name), depth + 1)), folder];
  } catch {
    return [];
  }
}

function removeTree(folder: string): boolean {
  return groupsBelow(folder).map(removeGroup).every(Boolean);
}

/** Kills a process, if it is there. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
