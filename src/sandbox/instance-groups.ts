/**
 * The control groups of an instance: made by the host before the runner starts, which is born in them, and removed when it has
 * ended. They hold the instance's limits, tell its use, and are the place of its memory slots.
 *
 * A process sandbox has the runner and its programs as siblings below the instance's memory group, so that the limit can hold for
 * programs alone and the kernel never picks the runner to kill; only functions run in the runner itself, and where an app has
 * some, the limit holds for both. A container is one group for each controller, with everything in it.
 *
 *   process   <own>/urocket-…          limits of CPU and processes; of memory with functions
 *                 ├── runner           the runner (version 1: of memory alone; else it is in the group itself)
 *                 └── programs         the limit of memory without functions
 *                       └── slot-0, …  a program each, or the daemon
 *   container <own>/urocket-…          all limits, all processes
 *
 * Limits are set when the runner is there: while it is born the host's own thread is in its groups, which no quota may stop.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Controller, type ControllerPlace, controllers, findController, type FoundController } from "./control-groups.ts";
import { countWhatIsBelow, limitCpu, limitMemory, limitPids, weighLess } from "./group-limits.ts";
import { cpuLimitWords, memoryLimitWords, notHeldWords, pidsLimitWords } from "./limit-words.ts";
import { groupName } from "./group-names.ts";
import { readProcesses, removeGroup, type SpawnOptions } from "./memory-slots.ts";
import { bringHome, prepareHome, stepHome, stepInto } from "./own-threads.ts";
import type { InstanceContent, InstanceLimits } from "./sandbox.ts";
import type { UsageFolder, UsageFolders } from "./usage.ts";

/** How deep groups are looked through when an instance's are removed. */
const depthMax = 3;
/** Rounds of removing an instance's groups, each a millisecond longer than the one before. */
const clearingRoundsMax = 50;

export interface InstanceGroups {
  /** Where the runner belongs. */
  readonly births: readonly Birth[];
  /** Top folders, for removal. */
  readonly folders: readonly string[];
  /** For `readUsage`, and for limits. */
  readonly usage: UsageFolders;
  /** The group of programs, with a slot for each. Absent: in a container, or none can be made. */
  readonly programs?: UsageFolder | undefined;
  /** Controllers that cannot be used here, and why. */
  readonly missing: Readonly<Partial<Record<Controller, string>>>;
}

type Limiting = Exclude<Controller, "cpuacct">;

/** A group that the runner is to be in. */
interface Birth {
  readonly version: 1 | 2;
  readonly folder: string;
  /** The host's own group of the same hierarchy. */
  readonly home: string;
}

export interface HeldLimits {
  /** For each limit that cannot be held here a sentence that says why. */
  readonly notHeld: readonly string[];
  /** Where the runner makes its memory slots; absent where nothing needs them, or none can be made. */
  readonly memorySlots?: { readonly version: 1 | 2; readonly folder: string };
  /** The memory limit that nobody holds: it is to be watched. */
  readonly memoryWatchedBytesMax?: number;
  /** The runner is under the memory limit together with what it starts. */
  readonly runnerLimited?: boolean;
}

export type MemoryAccounting =
  | { readonly kind: "cgroup"; readonly version: 1 | 2; readonly folder: string }
  | { readonly kind: "none"; readonly reason: string };

/** Whether a program's peak memory can be measured here, for the start message. */
export function detectMemoryAccounting(): MemoryAccounting {
  const found = findController("memory");
  return found.ok ? { kind: "cgroup", ...found.place } : { kind: "none", reason: found.reason };
}

/** An instance that has no groups. */
export const noGroups: InstanceGroups = { births: [], folders: [], usage: {}, missing: {} };

/**
 * Makes an instance's groups, without limits. What cannot be made is named in `missing`.
 * @param find where this process's own groups are.
 */
export function makeGroups(instance: string, sandbox: "process" | "container", find = findController): InstanceGroups {
  const making = new Making(groupName(instance));
  for (const controller of controllers) making.add(controller, sandbox, find(controller));
  return making;
}

/**
 * Sets an instance's limits, for an app's content. To be called before anything of the app runs, and once: limits are never
 * taken back.
 */
export function limitGroups(
  groups: InstanceGroups,
  limits: InstanceLimits,
  content: InstanceContent = { programs: true, functions: false, service: false },
): HeldLimits {
  const notHeld: string[] = [];
  const hold = (controller: Limiting, words: string, set: (folder: UsageFolder) => void, folder = groups.usage[controller]): boolean => {
    try {
      if (folder === undefined) throw new Error(groups.missing[controller] ?? "the instance has no control groups");
      set(folder);
      return true;
    } catch (error) {
      notHeld.push(notHeldWords(words, controller, error instanceof Error ? error.message : String(error)));
      return false;
    }
  };
  const { memoryBytesMax, cpuMax, pidsMax } = limits;
  let watched: number | undefined;
  let runnerLimited = false;
  if (memoryBytesMax !== undefined) {
    const where = content.functions ? undefined : groups.programs;
    const held = hold("memory", memoryLimitWords(memoryBytesMax), (folder) => limitMemory(folder, memoryBytesMax), where);
    if (!held) watched = memoryBytesMax;
    runnerLimited = held && where === undefined;
  }
  if (cpuMax !== undefined) hold("cpu", cpuLimitWords(cpuMax), (folder) => limitCpu(folder, cpuMax));
  if (pidsMax !== undefined) hold("pids", pidsLimitWords(pidsMax), (folder) => limitPids(folder, pidsMax));
  const needsSlots = content.programs || content.service;
  return {
    notHeld,
    ...(needsSlots && groups.programs !== undefined ? { memorySlots: groups.programs } : {}),
    ...(watched === undefined ? {} : { memoryWatchedBytesMax: watched }),
    ...(runnerLimited ? { runnerLimited } : {}),
  };
}

/**
 * Starts a process in an instance's groups: it is never anywhere else. Of version 1 the calling thread, which has to be the one that
 * forks, steps into the groups, and back when the process is there: a thread that moves itself waits for nobody, while moving a process
 * takes the kernel ten milliseconds.
 * @param start spawns, with the options that it is given besides its own.
 * @returns what `start` returned, and whether it is in the groups: if not, `joinInstanceGroups` moves it.
 */
export function spawnInGroups<T>(groups: InstanceGroups, start: (options: SpawnOptions) => T): { started: T; joined: boolean } {
  const v1 = groups.births.filter(({ version }) => version === 1);
  const v2 = groups.births.find(({ version }) => version === 2);
  const entered: Birth[] = [];
  if (v2 !== undefined && !existsSync(v2.folder)) throw new Error(`its control groups are gone: ${v2.folder}`);
  try {
    const joined = v1.every((birth) => enter(birth) && entered.push(birth) > 0);
    return { started: start(v2 === undefined ? {} : { cgroup: v2.folder }), joined };
  } finally {
    for (const birth of entered) {
      stepHome(birth.home);
      bringHome(birth.folder, birth.home);
    }
  }
}

/**
 * Moves a process that was not born in an instance's groups into them. The kernel may take its time; the caller's thread does not
 * wait for it.
 */
export async function joinInstanceGroups(groups: InstanceGroups, pid: number): Promise<void> {
  await Promise.all(groups.births.map(({ folder }) => writeFile(join(folder, "cgroup.procs"), `${pid}`)));
}

/** Every process that is in an instance's groups, but this one. */
export function processesOfInstance(groups: InstanceGroups): number[] {
  return [...new Set(groups.folders.flatMap((folder) => groupsBelow(folder).flatMap(readProcesses)))];
}

/** Removes an instance's groups. False: a process is still in one of them; try again when it is gone. */
export function removeInstanceGroups(groups: InstanceGroups): boolean {
  return groups.folders.map(removeTree).every(Boolean);
}

/** Ends whatever is in an instance's groups, and removes them; what resists for too long is left to the next host's sweep. */
export async function clearInstanceGroups(groups: InstanceGroups): Promise<void> {
  for (let round = 0; round < clearingRoundsMax && !removeInstanceGroups(groups); round++) {
    for (const { version, folder, home } of groups.births) if (version === 1 && existsSync(folder)) bringHome(folder, home);
    for (const pid of processesOfInstance(groups)) endProcess(pid);
    await Bun.sleep(round);
  }
}

/** Kills a process, if it is there. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

class Making implements InstanceGroups {
  readonly births: Birth[] = [];
  readonly folders: string[] = [];
  readonly usage: Partial<Record<Controller, UsageFolder>> = {};
  readonly missing: Partial<Record<Controller, string>> = {};
  programs: UsageFolder | undefined;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  add(controller: Controller, sandbox: "process" | "container", found: FoundController): void {
    if (!found.ok) {
      this.missing[controller] = found.reason;
      return;
    }
    const { version, folder: home } = found.place;
    const folder = join(home, this.#name);
    try {
      if (!this.folders.includes(folder)) {
        mkdirSync(folder, { recursive: true });
        this.folders.push(folder);
      }
      if (sandbox === "process" && controller === "memory") this.#addPrograms({ version, folder });
      if (controller === "cpu") weighLess({ version, folder });
      this.#addBirth({ version, folder: this.#runnerFolder(version, folder, controller, sandbox), home });
      this.usage[controller] = { version, folder };
    } catch (error) {
      this.missing[controller] = `the control group ${folder} cannot be made: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Version 2 has no processes in a group whose children are controlled. */
  #runnerFolder(version: 1 | 2, folder: string, controller: Controller, sandbox: "process" | "container"): string {
    if (sandbox === "container" || (version === 1 && controller !== "memory")) return folder;
    const runner = join(folder, "runner");
    mkdirSync(runner, { recursive: true });
    return runner;
  }

  #addBirth(birth: Birth): void {
    if (!this.births.some(({ folder }) => folder === birth.folder)) this.births.push(birth);
  }

  #addPrograms({ version, folder }: ControllerPlace): void {
    const programs = join(folder, "programs");
    if (version === 1) countWhatIsBelow(folder);
    else writeFileSync(join(folder, "cgroup.subtree_control"), "+memory");
    mkdirSync(programs, { recursive: true });
    if (version === 2) writeFileSync(join(programs, "cgroup.subtree_control"), "+memory");
    this.programs = { version, folder: programs };
  }
}

/** Moves this thread into an instance's group. */
function enter({ folder, home }: Birth): boolean {
  try {
    prepareHome(home);
    const tasks = openSync(join(folder, "tasks"), "w");
    try {
      stepInto(tasks);
    } finally {
      closeSync(tasks);
    }
    return true;
  } catch {
    return false;
  }
}

/** A group with all that are below it, the lowest first. */
export function groupsBelow(folder: string, depth = 0): string[] {
  try {
    const children = depth < depthMax ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
    return [...children.flatMap((entry) => groupsBelow(join(folder, entry.name), depth + 1)), folder];
  } catch {
    return [];
  }
}

/** Removes a group with all that are below it. False: a process is still in one of them. */
export function removeTree(folder: string): boolean {
  return groupsBelow(folder).map(removeGroup).every(Boolean);
}
