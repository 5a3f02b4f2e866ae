/**
 * Which limit an instance ran into, and when: what the kernel counts of it is looked at from time to time, and when something
 * of it failed. Without this an end by the kernel looks like any other: SIGKILL, or a program that could not fork.
 */
import type { LimitName } from "../core/limit-name.ts";
import { cpuLimitWords, memoryLimitWords, pidsLimitWords } from "../sandbox/limit-words.ts";
import type { Confined, InstanceLimits, InstanceUsage } from "../sandbox/sandbox.ts";
import { ThrottleHistory } from "./throttle-history.ts";

/** Between two beats: a look reads some ten files, and programs may fail by the thousand. */
const looksPerBeatMax = 20;
/** A limit was reached when the peak came so near to it: the kernel counts in batches. */
const nearLimit = 0.9;
/** Held back for this part of the time, it is worth a word. */
const notablePart = 0.1;

/** From a kill until the end of who was killed is heard of: its memory is given back first. */
const endingMs = 1_000;
/** What a runner takes itself, where that is not the app's. */
const runnerBytesMax = 48 * 1024 * 1024;
/** Over its watched limit at so many beats in a row it has to be ended: a program alone is ended by its runner sooner. */
const beatsOverMax = 2;

export class LimitWatch {
  readonly #read: () => InstanceUsage;
  readonly #limits: InstanceLimits;
  readonly #throttled = new ThrottleHistory();
  #usage: InstanceUsage = {};
  #looks = 0;
  /** The runner knows itself which of its programs ran out of memory. */
  #isAccounted = false;
  /** Where the kernel does not hold its memory limit. */
  #watchedBytesMax = Infinity;
  #beatsOver = 0;
  #memoryAt = -Infinity;
  #pidsAt = -Infinity;

  /** @param read what the kernel counts now; it only grows, but for what falls away with a group. */
  constructor(read: () => InstanceUsage, limits: InstanceLimits) {
    this.#read = read;
    this.#limits = limits;
  }

  /** What was seen last. */
  get usage(): InstanceUsage {
    return this.#usage;
  }

  /** To be called when it is confined. @param functions whether the runner's memory is the app's. */
  confined({ memorySlots, memoryWatchedBytesMax }: Pick<Confined, "memorySlots" | "memoryWatchedBytesMax">, functions: boolean): void {
    this.#isAccounted = memorySlots !== undefined;
    if (memoryWatchedBytesMax !== undefined) this.#watchedBytesMax = memoryWatchedBytesMax + (functions ? 0 : runnerBytesMax);
  }

  /**
   * To be called each `beatMs` while it has work.
   * @param nowMs as `performance.now()` has it.
   * @returns false: it has more memory than its watched limit, and has to be ended.
   */
  beat(nowMs: number): boolean {
    this.#looks = 0;
    this.look(nowMs);
    const over = (this.#usage.memoryBytes ?? 0) > this.#watchedBytesMax;
    this.#beatsOver = over ? this.#beatsOver + 1 : 0;
    return this.#beatsOver < beatsOverMax;
  }

  /** Looks, unless it was looked at often since the last beat. */
  look(nowMs: number): void {
    if (this.#looks++ < looksPerBeatMax) this.#look(nowMs);
  }

  #look(nowMs: number): void {
    const usage = this.#read();
    const before = this.#usage;
    this.#usage = usage;
    if ((usage.oomKills ?? 0) > (before.oomKills ?? 0)) this.#memoryAt = nowMs;
    if ((usage.pidsRefused ?? 0) > (before.pidsRefused ?? 0)) this.#pidsAt = nowMs;
    if (usage.throttledMs !== undefined) this.#throttled.add(nowMs, usage.throttledMs);
  }

  /** Which limit it ran into just now, or since it was looked at last where that is longer ago; for an instance that has ended. */
  reachedAtLast(nowMs: number): LimitName | undefined {
    this.#look(nowMs);
    return this.#reachedSince(nowMs - endingMs);
  }

  /** Which limit it ran into since then, to the time between two looks; looks first. */
  reachedSince(sinceMs: number, nowMs: number): LimitName | undefined {
    this.look(nowMs);
    return this.#reachedSince(sinceMs);
  }

  #reachedSince(sinceMs: number): LimitName | undefined {
    if (this.#memoryAt >= sinceMs) return "memory";
    return this.#pidsAt >= sinceMs ? "pids" : undefined;
  }

  /** The same for a program that has failed, of which its runner named no limit. */
  ofProgramSince(sinceMs: number, nowMs: number): LimitName | undefined {
    const limit = this.reachedSince(sinceMs, nowMs);
    if (limit !== "memory" || !this.#isAccounted) return limit;
    return this.#pidsAt >= sinceMs ? "pids" : undefined;
  }

  /** "reached limits.memory of 64 MiB"; looks first. */
  words(limit: LimitName, nowMs: number): string {
    this.#look(nowMs);
    const { memoryBytesMax, pidsMax } = this.#limits;
    if (limit === "pids") return `reached ${pidsMax === undefined ? "the machine's limit of processes" : pidsLimitWords(pidsMax)}`;
    const { memoryPeakBytes } = this.#usage;
    // The kernel also kills where a limit is far, when nobody on the machine has any memory left.
    const far = memoryPeakBytes !== undefined && memoryBytesMax !== undefined && memoryPeakBytes < memoryBytesMax * nearLimit;
    if (memoryBytesMax === undefined || far) return "was chosen by the kernel when the machine ran out of memory";
    return `reached ${memoryLimitWords(memoryBytesMax)}`;
  }

  /** "limits.cpu of 0.5 held the app's instance back for 4200 ms of that", where that is a good part of the time; looks first. */
  strainSince(sinceMs: number, nowMs: number): string | undefined {
    const { cpuMax } = this.#limits;
    if (cpuMax === undefined) return undefined;
    this.look(nowMs);
    const elapsedMs = nowMs - sinceMs;
    // Counted for each processor: two at once count twice.
    const heldMs = Math.min(elapsedMs, this.#throttled.since(sinceMs));
    if (heldMs < elapsedMs * notablePart || heldMs < 1) return undefined;
    return `${cpuLimitWords(cpuMax)} held the app's instance back for ${Math.round(heldMs)} ms of that`;
  }
}
