/**
 * Ending a program and everything it started: TERM at once, KILL when the grace has passed, again and again until nothing
 * is left. Has no clock of its own: whoever owns it says what time it is.
 */
import { signalProcess } from "./program.ts";

/** A tree that outlives this many rounds of KILL (a process in uninterruptible sleep) is given up. */
export const killRoundsMax = 100;
/** Without a control group the whole process table is read to find a tree: only every so many looks. */
const looksPerScan = 4;

export interface ProcessTree {
  /** Whether `living` may be asked often. */
  readonly isCheapToCheck: boolean;
  /** Processes of the tree that live, the program's own included. */
  living(): readonly number[];
}

export class TreeEnding {
  readonly #tree: ProcessTree;
  readonly #killAt: number;
  #looks = 0;
  #killRounds = 0;
  #forced = false;

  /**
   * @param nowMs when TERM is sent, as `performance.now()` has it.
   * @param graceMs from TERM to KILL.
   */
  constructor(tree: ProcessTree, nowMs: number, graceMs: number) {
    this.#tree = tree;
    this.#killAt = nowMs + graceMs;
  }

  /** Whether there was something to be ended. */
  get forced(): boolean {
    return this.#forced;
  }

  /** Whether something of it could not be ended. */
  get abandoned(): boolean {
    return this.#killRounds > killRoundsMax;
  }

  /**
   * Sends TERM to all that lives.
   * @param exited whether the program's own exit was heard of.
   * @returns whether the tree is gone.
   */
  begin(exited: boolean): boolean {
    const living = this.#tree.living();
    if (living.length === 0) return exited;
    this.#signal(living, "SIGTERM");
    return false;
  }

  /**
   * Looks after it, a while later.
   * @param exitedAt when the program's own exit was heard of; 0: not yet.
   * @returns whether this is its end: the tree is gone, or given up.
   */
  pursue(nowMs: number, exitedAt: number): boolean {
    const grace = nowMs < this.#killAt;
    // Until then its own exit will be heard of.
    if (grace && exitedAt === 0) return false;
    const first = nowMs === exitedAt || (!grace && this.#killRounds === 0);
    if (!this.#tree.isCheapToCheck && !first && ++this.#looks % looksPerScan !== 0) return false;
    const living = this.#tree.living();
    if (living.length === 0 && exitedAt > 0) return true;
    if (grace) return false;
    this.#signal(living, "SIGKILL");
    this.#killRounds++;
    return this.abandoned;
  }

  #signal(pids: readonly number[], signal: "SIGTERM" | "SIGKILL"): void {
    this.#forced ||= pids.length > 0;
    for (const pid of pids) signalProcess(pid, signal);
  }
}
