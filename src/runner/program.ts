/**
 * A program that was started: its process, the pipes and the memory slot that it has while it runs, and everything it
 * started in turn. Whoever starts it calls `release` once, when nothing of it is left.
 */
import { closeSync } from "node:fs";
import type { Subprocess } from "bun";
import type { ReceiptHead } from "../link/messages.ts";
import { spawnExpendable } from "../sandbox/expendable.ts";
import type { MemorySlot, MemorySlots } from "../sandbox/memory-slots.ts";
import { ownPeakBytes, processFigures, processTree, programTree } from "../sandbox/process-figures.ts";
import { processUsage } from "../sandbox/usage.ts";
import { OutputLines } from "./output-lines.ts";
import type { ProgramPlan } from "./program-plan.ts";
import { StdinFeed } from "./stdin-feed.ts";
import type { InputPipe, OutputPipe, StdioPipes } from "./stdio-pipes.ts";

/** Reading a flood goes on in the same turn for so many reads. */
const readsPerTurnMax = 4;

export interface ProgramStart {
  readonly plan: ProgramPlan;
  readonly argv: string[];
  readonly environment: Record<string, string>;
  /** "REQUEST_ID=…": what everything that it starts carries in its environment. */
  readonly mark: string;
  readonly logStdout: boolean;
  /** A line of output. False: it was dropped. */
  readonly onLine: (stream: "stdout" | "stderr", line: Uint8Array, cut: boolean) => boolean;
  /** So many bytes of the payload need no memory any more. */
  readonly onConsumed: (bytes: number) => void;
  readonly onExit: () => void;
}

export interface ProgramSupplies {
  readonly pipes: StdioPipes;
  readonly slots?: MemorySlots;
  /** It is killed before the runner when memory runs out. */
  readonly runnerLimited?: boolean;
}

/** What a program uses at a moment, with everything that it started. */
export interface ProgramUse {
  readonly residentBytes: number;
  readonly cpuMs: number;
  readonly processes: number;
}

export type ProgramEnd = Pick<
  ReceiptHead,
  "cpuUserMs" | "cpuSystemMs" | "memoryPeakBytes" | "memorySource" | "exitCode" | "signal" | "limit" | "outputBytesDropped"
>;

interface Output {
  readonly pipe: OutputPipe;
  readonly lines: OutputLines;
  ended: boolean;
}

export class Program {
  readonly #supplies: ProgramSupplies;
  readonly #mark: string;
  readonly #process: Subprocess;
  readonly #outputs: readonly Output[];
  readonly #input: InputPipe | undefined;
  readonly #slot: MemorySlot | undefined;
  #outOfMemory: boolean | undefined;
  #sampledPeakBytes = 0;
  #flooding = false;
  #released = false;
  /** Absent: its payload was an argument. */
  readonly stdin: StdinFeed | undefined;

  /** Starts it. Throws what the spawn throws, with everything given back. */
  constructor(supplies: ProgramSupplies, start: ProgramStart) {
    this.#supplies = supplies;
    this.#mark = start.mark;
    const { pipes, slots } = supplies;
    const outputs: Output[] = [];
    const ends: number[] = [];
    try {
      for (const stream of start.logStdout ? (["stderr", "stdout"] as const) : (["stderr"] as const)) {
        const lines = new OutputLines((line, cut) => start.onLine(stream, line, cut));
        const pipe = pipes.takeOutput();
        outputs.push({ pipe, lines, ended: true });
        ends.push(pipe.openForProgram());
      }
      this.#input = start.plan.spec.channel === "stdin" ? pipes.takeInput() : undefined;
      this.stdin = this.#input === undefined ? undefined : new StdinFeed(this.#input, start.onConsumed);
      this.#slot = slots?.take();
      this.#outputs = outputs;
      this.#process = this.#spawn(start, ends);
      for (const output of outputs) output.ended = false;
    } catch (error) {
      this.stdin?.close();
      this.stdin?.spawned();
      this.#giveBack(outputs, false);
      throw error;
    } finally {
      for (const end of ends) closeSync(end);
    }
    this.stdin?.spawned();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether `living` may be asked often: with a slot it costs one read, else a walk through all processes. */
  get isCheapToCheck(): boolean {
    return this.#slot !== undefined;
  }

  /** How it ended, for people: "exited with status 1", "was killed by SIGSEGV"; "was killed", where a limit is named besides. */
  get exitWords(): string {
    const { exitCode, signalCode } = this.#process;
    if (signalCode === null) return `exited with status ${exitCode ?? "?"}`;
    return signalCode === "SIGKILL" && this.wasOutOfMemory ? "was killed" : `was killed by ${signalCode}`;
  }

  /** Whether it ended other than with status 0. */
  get endedBadly(): boolean {
    return this.#process.exitCode !== 0;
  }

  /** Whether the kernel killed something of it for want of memory, as far as its slot knows. To be asked when it has exited. */
  get wasOutOfMemory(): boolean {
    return (this.#outOfMemory ??= this.#slot?.wasOutOfMemory() ?? false);
  }

  /** Processes of its tree that live, itself included. */
  living(): number[] {
    return this.#slot?.processes() ?? programTree(this.pid, this.#mark);
  }

  /** Whether anything of it lives, after its own exit. Without a slot only its session is looked at. */
  leavesSomething(): boolean {
    return this.#slot === undefined ? signalProcess(-this.pid, 0) : this.#slot.processes().length > 0;
  }

  /** What it uses now; undefined when it has exited. */
  use(): ProgramUse | undefined {
    const main = processFigures(this.pid);
    if (main === undefined) return undefined;
    this.#sampledPeakBytes = Math.max(this.#sampledPeakBytes, main.peakBytes);
    const tree = this.#slot?.processes() ?? processTree([this.pid]);
    let { residentBytes, cpuMs } = main;
    for (const pid of tree) {
      const figures = pid === this.pid ? undefined : processFigures(pid);
      residentBytes += figures?.residentBytes ?? 0;
      cpuMs += figures?.cpuMs ?? 0;
    }
    return { residentBytes, cpuMs, processes: tree.length };
  }

  /** Ends it, with all it started, when it has more memory than that: where no kernel holds its limit. */
  holdMemory(bytesMax: number): void {
    if ((processUsage(this.pid).memoryBytes ?? 0) <= bytesMax) return;
    this.#outOfMemory = true;
    for (const pid of this.living()) signalProcess(pid, "SIGKILL");
  }

  /** Takes what it has written. A flood goes on being read by itself: a full pipe would make the program wait. */
  readOutputs(): void {
    if (this.#released) return;
    let flooded = false;
    for (const output of this.#outputs) {
      let found: "flood" | "open" | "ended" = "flood";
      for (let reads = 0; found === "flood" && reads < readsPerTurnMax; reads++) found = readOutput(output);
      flooded ||= found === "flood";
    }
    if (!flooded || this.#flooding) return;
    this.#flooding = true;
    setImmediate(this.#readFlood);
  }

  readonly #readFlood = (): void => {
    this.#flooding = false;
    this.readOutputs();
  };

  /**
   * Takes the rest of its output, gives everything back and says what it used.
   * @param abandoned something of it could not be ended: its slot is not used again.
   */
  release(abandoned: boolean): ProgramEnd {
    for (const output of this.#outputs) readRest(output);
    const end = this.#end();
    this.#giveBack(this.#outputs, abandoned);
    this.#released = true;
    return end;
  }

  #spawn(start: ProgramStart, [stderr, stdout]: readonly number[]): Subprocess {
    const options = {
      cwd: start.plan.spec.wd,
      env: start.environment,
      stdin: this.stdin?.program ?? "ignore",
      // A pipe costs as much as a tenth of a program; nobody would read this one.
      stdout: stdout ?? "ignore",
      stderr: stderr ?? "ignore",
      // A session of its own: its whole group can be ended, and a terminal's Ctrl-C is not its business.
      detached: true,
      onExit: start.onExit,
      ...start.plan.user,
    } as const;
    const slot = this.#slot;
    const spawn = (): Subprocess => {
      if (slot === undefined) return Bun.spawn(start.argv, options);
      return slot.spawn((group) => Bun.spawn(start.argv, { ...options, ...group }));
    };
    return this.#supplies.runnerLimited === true ? spawnExpendable(spawn) : spawn();
  }

  #giveBack(outputs: readonly Output[], abandoned: boolean): void {
    const { pipes, slots } = this.#supplies;
    for (const output of outputs) pipes.giveOutput(output.pipe, output.ended);
    if (this.#input !== undefined) pipes.giveInput(this.#input);
    if (this.#slot !== undefined) slots?.give(this.#slot, abandoned);
  }

  #end(): ProgramEnd {
    const { exitCode, signalCode } = this.#process;
    const usage = this.#process.resourceUsage();
    return {
      cpuUserMs: Number(usage?.cpuTime.user ?? 0) / 1000,
      cpuSystemMs: Number(usage?.cpuTime.system ?? 0) / 1000,
      ...this.#memory(usage?.maxRSS ?? 0),
      ...(exitCode === null || signalCode !== null ? {} : { exitCode }),
      ...(signalCode === null ? {} : { signal: `${signalCode}` }),
      // Asked after every end: one program's kill is never taken for the next one's.
      ...(this.wasOutOfMemory ? { limit: "memory" as const } : {}),
      outputBytesDropped: this.#outputs.reduce((sum, output) => sum + output.lines.bytesDropped, 0),
    };
  }

  /** The kernel's figure starts at the runner's own high-water mark: above that it is the program's, else only a bound. */
  #memory(kernelBytes: number): Pick<ProgramEnd, "memoryPeakBytes" | "memorySource"> {
    const slotBytes = this.#slot?.peakBytes();
    if (slotBytes !== undefined) return { memoryPeakBytes: slotBytes, memorySource: "cgroup" };
    if (kernelBytes > ownPeakBytes()) return { memoryPeakBytes: kernelBytes, memorySource: "sampled" };
    if (this.#sampledPeakBytes > 0) return { memoryPeakBytes: this.#sampledPeakBytes, memorySource: "sampled" };
    return { memoryPeakBytes: kernelBytes, memorySource: "at-most" };
  }
}

function readOutput(output: Output): "flood" | "open" | "ended" {
  const found = output.pipe.read((bytes) => output.lines.push(bytes));
  output.ended = found === "ended";
  return found;
}

/** What is still in the pipe. A process that escaped and goes on writing is not waited for. */
function readRest(output: Output): void {
  for (let reads = 0; !output.ended && reads < readsPerTurnMax; reads++) readOutput(output);
  output.lines.end();
}

/** Sends a signal (0: none). False: there is no such process or group. */
export function signalProcess(pid: number, signal: "SIGTERM" | "SIGCONT" | "SIGKILL" | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // It is there, but belongs to somebody else: only ESRCH means gone.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
