/**
 * The process of an app's daemon: started in a session of its own, heard line by line, and ended with everything that it started.
 * What it is for, and whether it is well, is the service's affair.
 */
import type { Subprocess } from "bun";
import type { LimitName } from "../core/limit-name.ts";
import type { LoadHead } from "../link/messages.ts";
import { spawnExpendable } from "../sandbox/expendable.ts";
import { makeMemorySlot, type MemorySlot } from "../sandbox/memory-slots.ts";
import { programTree } from "../sandbox/process-figures.ts";
import { DaemonOutput, type DaemonStream } from "./daemon-output.ts";
import type { TakeLine } from "./output-lines.ts";
import { signalProcess } from "./program.ts";

export interface DaemonStart {
  /** argv[0] is a path, where one was found. */
  readonly argv: readonly string[];
  readonly wd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** "UROCKET_INSTANCE=…": what everything that it starts carries in its environment. */
  readonly mark: string;
  readonly memorySlots?: LoadHead["memorySlots"];
  readonly onLine: Readonly<Record<DaemonStream, TakeLine>>;
}

/** Who had to be killed, because TERM did not end it: the daemon, or only something that it started. */
export type Late = "none" | "daemon" | "others";

export interface DaemonEnding {
  /** "exited with status 1", "was killed by SIGSEGV"; "was killed", where a limit is named besides. */
  readonly words: string;
  /** The limit that ended it. */
  readonly limit?: LimitName;
}

/** A tree that outlives so many rounds of KILL (a process in uninterruptible sleep) is given up. */
const killRoundsMax = 100;
/** Between two looks at what is left of it. */
const lookEveryMs = 20;

export class Daemon {
  readonly #process: Subprocess;
  readonly #output: DaemonOutput;
  readonly #slot: MemorySlot | undefined;
  readonly #mark: string;
  #over: Promise<Late> | undefined;
  #ending: DaemonEnding | undefined;
  /** When its own process has ended and what it wrote until then is told. Whatever it started may live on. */
  readonly exited: Promise<void>;

  /** Starts it. Throws what the spawn throws, with everything given back. */
  constructor(start: DaemonStart) {
    this.#mark = start.mark;
    this.#output = new DaemonOutput();
    this.#slot = slotOf(start.memorySlots);
    try {
      this.#process = this.#spawn(start);
    } catch (error) {
      this.#slot?.close();
      void this.#output.close();
      throw error;
    } finally {
      this.#output.spawned();
    }
    const { stdout, stderr } = this.#process;
    this.#output.follow({ stdout, stderr }, start.onLine);
    this.exited = this.#process.exited.then(() => this.#output.rest());
  }

  get pid(): number {
    return this.#process.pid;
  }

  get hasExited(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** How it ended, once it has. */
  get ending(): DaemonEnding {
    return (this.#ending ??= this.#lookUpEnding());
  }

  /** Processes of its tree that live, itself included. */
  living(): readonly number[] {
    const slotted = this.#slot?.processes();
    return slotted ?? programTree(this.pid, this.#mark);
  }

  /**
   * Ends it with everything that it started: TERM and CONT to its group, KILL to what is left.
   * @param graceMs from TERM to KILL; 0: KILL at once.
   * @returns who outlived the grace.
   */
  end(graceMs: number): Promise<Late> {
    return (this.#over ??= this.#end(graceMs));
  }

  async #end(graceMs: number): Promise<Late> {
    let late: Late = "none";
    if (graceMs > 0 && signalProcess(-this.pid, "SIGTERM")) {
      // Who is stopped hears of TERM when it is continued.
      signalProcess(-this.pid, "SIGCONT");
      await this.#gone(performance.now() + graceMs);
      if (!this.#isGone()) late = this.hasExited ? "others" : "daemon";
    }
    for (let round = 0; round < killRoundsMax && !this.#isGone(); round++) {
      for (const pid of this.living()) signalProcess(pid, "SIGKILL");
      await this.#gone(performance.now() + lookEveryMs);
    }
    await this.#output.rest();
    await this.#output.close();
    // What its slot counted of a kill the host reads too, and removes it with the instance.
    if (this.ending.limit === undefined) this.#slot?.close();
    return late;
  }

  /** Resolves when nothing of it is left, or at some time. */
  async #gone(until: number): Promise<void> {
    let leftMs = until - performance.now();
    // Its own end is heard of; what it started has to be looked for.
    await Promise.race([this.#process.exited, Bun.sleep(leftMs)]);
    while (!this.#isGone() && (leftMs = until - performance.now()) > 0) await Bun.sleep(Math.min(lookEveryMs, leftMs));
  }

  #isGone(): boolean {
    return this.hasExited && this.living().length === 0;
  }

  #spawn({ argv, wd, environment }: DaemonStart): Subprocess {
    const [stdout, stderr] = this.#output.stdio;
    // A session of its own: its whole group can be ended, and a terminal's Ctrl-C is not its business.
    const options = { cwd: wd, env: { ...environment }, stdin: "ignore", stdout, stderr, detached: true } as const;
    const slot = this.#slot;
    // Where the runner is under the same memory limit the kernel is to kill the daemon first: its end is told then.
    if (slot === undefined) return spawnExpendable(() => Bun.spawn([...argv], options));
    return slot.spawn((group) => Bun.spawn([...argv], { ...options, ...group }));
  }

  /** To be looked up once: the slot tells each kill once. */
  #lookUpEnding(): DaemonEnding {
    const { exitCode, signalCode } = this.#process;
    if (signalCode === null) return { words: `exited with status ${exitCode ?? "?"}` };
    if (signalCode === "SIGKILL" && this.#slot?.wasOutOfMemory() === true) return { words: "was killed", limit: "memory" };
    return { words: `was killed by ${signalCode}` };
  }
}

/** Where its memory is counted, and limited together with the programs'; undefined: nowhere. */
function slotOf(slots: LoadHead["memorySlots"]): MemorySlot | undefined {
  if (slots === undefined) return undefined;
  try {
    return makeMemorySlot(slots.version, slots.folder, "service");
  } catch {
    return undefined;
  }
}
