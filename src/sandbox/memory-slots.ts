/**
 * A program's own peak of memory. Linux carries the spawner's high-water mark into `ru_maxrss` of what it spawns, so
 * that figure says 30 MB of /bin/true. A control group counts the program alone: a slot is such a group, used by one
 * program at a time and again by the next (making one costs 110 µs, setting one back 5). The group also knows every
 * process in it, whatever sessions and parents they chose. The kernel charges in batches of 64 pages a processor, so a peak
 * is true to some hundred KiB, and to 1 MiB where programs follow each other at once.
 */
import { closeSync, mkdirSync, openSync, readFileSync, readSync, rmdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { controllerFolder, ownGroupFiles } from "./control-groups.ts";
import { bringHome, prepareHome, stepHome, stepInto } from "./own-threads.ts";

/**
 * What earlier programs left in a slot (page cache; kernel memory that is freed late, up to 2 MiB under load): beyond
 * this it is given back before the next use. Not sooner, for that takes 0.6 ms.
 */
const leftBytesMax = 32 * 1024 * 1024;

const reset = Buffer.from("0");
const shared = Buffer.alloc(4096);

/** For `Bun.spawn`. */
export type SpawnOptions = { readonly cgroup?: string };

export interface MemorySlot {
  /**
   * Starts a program in it.
   * @param start spawns, with the options that it is given besides its own.
   */
  spawn<T>(start: (options: SpawnOptions) => T): T;
  /** The most bytes that what ran since `clear` had at one time; undefined where the kernel does not say. */
  peakBytes(): number | undefined;
  /** Processes that are in it now. */
  processes(): number[];
  /** Whether the kernel has killed something in it for want of memory since this was asked last. */
  wasOutOfMemory(): boolean;
  /** Makes it ready for the next program. Nothing may run in it. */
  clear(): void;
  /** Closes its files and removes the group where nothing is left in it. */
  close(): void;
}

/** Makes a slot as a group below `parent`. Throws what the file system says. */
export function makeMemorySlot(version: 1 | 2, parent: string, name: string): MemorySlot {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  return version === 1 ? new SlotV1(folder) : makeSlotV2(folder);
}

/**
 * Version 1 has no clone into a group, and moving a *process* waits for a grace period of RCU: 10 ms after any pause,
 * with the runner standing still (`cgroup_threadgroup_rwsem`; it is what `Bun.spawn`'s `cgroup` does there). A thread that
 * moves itself, by writing 0 to `tasks`, takes no such lock. So the runner's main thread steps into the slot, spawns, and
 * steps back: the program is born there. Measured: 8 µs, and no pause.
 */
class SlotV1 implements MemorySlot {
  readonly #folder: string;
  readonly #tasks: number;
  readonly #peak: number;
  readonly #usage: number;
  readonly #oom: number;
  #oomSeen = 0;
  #baseBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
    prepareHome(home());
    this.#tasks = openSync(join(folder, "tasks"), "w");
    this.#peak = openSync(join(folder, "memory.max_usage_in_bytes"), "r+");
    this.#usage = openSync(join(folder, "memory.usage_in_bytes"), "r");
    this.#oom = openSync(join(folder, "memory.oom_control"), "r");
    this.clear();
  }

  spawn<T>(start: (options: SpawnOptions) => T): T {
    stepInto(this.#tasks);
    try {
      return start({});
    } finally {
      stepHome(home());
    }
  }

  /** Of what was charged at the start only that is not the program's which is still charged: the rest was given back meanwhile. */
  peakBytes(): number {
    return Math.max(0, readNumber(this.#peak) - Math.min(this.#baseBytes, readNumber(this.#usage)));
  }

  processes(): number[] {
    const found = readGroup(this.#folder);
    if (!found.includes(process.pid)) return found;
    bringHome(this.#folder, home());
    return found.filter(isOther);
  }

  wasOutOfMemory(): boolean {
    const before = this.#oomSeen;
    this.#oomSeen = readCounter(this.#oom, "oom_kill ");
    return this.#oomSeen > before;
  }

  clear(): void {
    writeSync(this.#peak, reset, 0, 1, 0);
    // The mark is now what is in use: page cache that is charged to the group and not the next program's.
    this.#baseBytes = readNumber(this.#peak);
    if (this.#baseBytes <= leftBytesMax) return;
    try {
      writeFileSync(join(this.#folder, "memory.force_empty"), "0");
    } catch {
      // Busy, or not offered by this kernel: the base is subtracted all the same.
    }
    writeSync(this.#peak, reset, 0, 1, 0);
    this.#baseBytes = readNumber(this.#peak);
  }

  close(): void {
    closeSync(this.#tasks);
    closeSync(this.#peak);
    closeSync(this.#usage);
    closeSync(this.#oom);
    removeGroup(this.#folder);
  }
}

/** From Linux 6.12 `memory.peak` can be set back, per descriptor; before, a slot is a fresh group for each use. */
function makeSlotV2(folder: string): MemorySlot {
  const opened: number[] = [];
  try {
    const [peak, events] = [openIn(folder, "memory.peak", "r+", opened), openIn(folder, "memory.events", "r", opened)];
    return new SlotV2(folder, peak, events);
  } catch {
    // Root may open it for writing also where it cannot be written.
    for (const file of opened) closeSync(file);
    return new FreshSlotV2(folder);
  }
}

function openIn(folder: string, name: string, flags: string, opened: number[]): number {
  const file = openSync(join(folder, name), flags);
  opened.push(file);
  return file;
}

class SlotV2 implements MemorySlot {
  readonly #folder: string;
  readonly #peak: number;
  readonly #events: number;
  #oomSeen = 0;
  #baseBytes = 0;

  /** @throws where the peak cannot be set back. */
  constructor(folder: string, peak: number, events: number) {
    this.#folder = folder;
    this.#peak = peak;
    this.#events = events;
    this.clear();
  }

  spawn<T>(start: (options: SpawnOptions) => T): T {
    return start({ cgroup: this.#folder });
  }

  peakBytes(): number {
    return Math.max(0, readNumber(this.#peak) - this.#baseBytes);
  }

  processes(): number[] {
    return readProcesses(this.#folder);
  }

  wasOutOfMemory(): boolean {
    const before = this.#oomSeen;
    this.#oomSeen = readCounter(this.#events, "oom_kill ");
    return this.#oomSeen > before;
  }

  clear(): void {
    writeSync(this.#peak, reset, 0, 1, 0);
    this.#baseBytes = readNumber(this.#peak);
  }

  close(): void {
    closeSync(this.#peak);
    closeSync(this.#events);
    removeGroup(this.#folder);
  }
}

class FreshSlotV2 implements MemorySlot {
  readonly #base: string;
  #uses = 0;
  /** Of the group that is in use. */
  #oomSeen = 0;
  #folder: string;

  constructor(base: string) {
    this.#base = base;
    this.#folder = base;
    this.#make();
  }

  spawn<T>(start: (options: SpawnOptions) => T): T {
    return start({ cgroup: this.#folder });
  }

  /** `memory.peak` came with Linux 5.19. */
  peakBytes(): number | undefined {
    try {
      return Number(readFileSync(join(this.#folder, "memory.peak"), "latin1"));
    } catch {
      return undefined;
    }
  }

  processes(): number[] {
    return readProcesses(this.#folder);
  }

  wasOutOfMemory(): boolean {
    const before = this.#oomSeen;
    const events = /^oom_kill (\d+)$/m.exec(readFileSync(join(this.#folder, "memory.events"), "latin1"));
    this.#oomSeen = Number(events?.[1] ?? 0);
    return this.#oomSeen > before;
  }

  clear(): void {
    removeGroup(this.#folder);
    this.#make();
  }

  close(): void {
    removeGroup(this.#folder);
    removeGroup(this.#base);
  }

  /** Beside the base, not below it: a group that hands controllers on cannot hold processes. */
  #make(): void {
    this.#oomSeen = 0;
    this.#folder = `${this.#base}-${++this.#uses}`;
    mkdirSync(this.#folder, { recursive: true });
  }
}

/** Slots that are free, and the making of more. */
export class MemorySlots {
  readonly #version: 1 | 2;
  readonly #parent: string;
  readonly #free: MemorySlot[] = [];
  #made = 0;

  constructor(version: 1 | 2, parent: string) {
    this.#version = version;
    this.#parent = parent;
  }

  /** A cleared slot; undefined when none can be made (any more): the program then runs without. */
  take(): MemorySlot | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    try {
      return makeMemorySlot(this.#version, this.#parent, `slot-${this.#made++}`);
    } catch {
      return undefined;
    }
  }

  /** Gives back a slot. One that cannot be cleared, or in which something still runs, is not used again. */
  give(slot: MemorySlot, inUse: boolean): void {
    if (inUse) return slot.close();
    try {
      slot.clear();
      this.#free.push(slot);
    } catch {
      slot.close();
    }
  }

  /** Removes the slots that are free. */
  close(): void {
    for (const slot of this.#free.splice(0)) slot.close();
  }
}

/** Removes an empty group; one that still has processes stays. */
export function removeGroup(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}

/** Processes of a group that may be ended: all but this one, of which a thread may be there for the moment in which it spawns. */
export function readProcesses(folder: string): number[] {
  return readGroup(folder).filter(isOther);
}

const isOther = (pid: number): boolean => pid !== process.pid;

/** Opened anew each time: version 1 answers reads of an open `cgroup.procs` from a list that may be a second old. */
function readGroup(folder: string): number[] {
  let file: number;
  try {
    file = openSync(join(folder, "cgroup.procs"), "r");
  } catch {
    return [];
  }
  try {
    const bytes = readSync(file, shared, 0, shared.length, 0);
    if (bytes === 0) return [];
    const text = bytes < shared.length ? shared.toString("latin1", 0, bytes) : readFileSync(file, "latin1");
    return text.trim().split("\n").map(Number);
  } finally {
    closeSync(file);
  }
}

let ownGroup: string | undefined;

/** This process's own memory group, of version 1. */
function home(): string {
  const group = (ownGroup ??= controllerFolder("memory", ownGroupFiles())?.folder);
  if (group === undefined) throw new Error("Cannot find the memory group of this process");
  return group;
}

function readNumber(file: number): number {
  const bytes = readSync(file, shared, 0, 32, 0);
  let number = 0;
  for (let i = 0; i < bytes; i++) {
    const digit = (shared[i] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}

function readCounter(file: number, name: string): number {
  const text = `\n${shared.toString("latin1", 0, readSync(file, shared, 0, shared.length, 0))}`;
  const start = text.indexOf(`\n${name}`);
  return start < 0 ? 0 : Number.parseInt(text.slice(start + 1 + name.length), 10);
}
