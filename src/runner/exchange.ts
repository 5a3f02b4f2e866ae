/**
 * One request on its way through a program: starts it, gives it its payload, takes its reply and its output, sees to
 * its end and to the end of everything it started, and says at last what it used. What may follow what is decided by
 * `exchange-state.ts`; here is what is done about it.
 */
import { closeSync } from "node:fs";
import type { Subprocess } from "bun";
import type { Ticked } from "../core/ticker.ts";
import type { ProgramSample, ReceiptHead, ReplyHead, RequestHead, ResetHead, ResetReason } from "../link/messages.ts";
import type { MemorySlot } from "../sandbox/memory-slots.ts";
import { ownPeakBytes, processFigures, processTree, programTree } from "../sandbox/process-figures.ts";
import type { EndedHow } from "./ended-exchanges.ts";
import { type EndCause, endedBy, type ExchangeEvent, type ExchangeState, transition, waiting } from "./exchange-state.ts";
import { OutputLines } from "./output-lines.ts";
import {
  argumentBytesMax,
  oversizedArgument,
  type ProgramPlan,
  programArguments,
  programEnvironment,
  spawnFailure,
  valueWithNul,
} from "./program-plan.ts";
import type { ProgramReply } from "./reply-head.ts";
import type { ReplyRefusal, ReplySource, ReplyTarget } from "./reply-connection.ts";
import type { RunnerParts } from "./runner-parts.ts";
import type { Gated } from "./start-gate.ts";
import { StdinFeed } from "./stdin-feed.ts";
import type { InputPipe, OutputPipe } from "./stdio-pipes.ts";

/** What an exchange tells the host. A false from `reply` or `replyData`: nothing more before `writable` is called. */
export interface ExchangeHost {
  reply(head: ReplyHead, chunk: Uint8Array, last: boolean): boolean;
  replyData(chunk: Uint8Array, last: boolean): boolean;
  /** The exchange has failed, for this reason. A receipt may still follow. */
  reset(head: ResetHead): void;
  /** The last word: nothing more is said about this exchange. */
  receipt(head: ReceiptHead): void;
  /** A line of output. False: it was dropped. */
  log(stream: "stdout" | "stderr", line: Uint8Array, cut: boolean): boolean;
  /** So many bytes of the payload need no memory any more. */
  consumed(bytes: number): void;
}

/** Turns of the event loop for which a reply that was written before the exit is looked for. */
const hearOutTurns = 4;
/** And how long for one whose first bytes came, but not yet which exchange it is for. */
const hearOutMs = 100;
/** Programs that run longer than this are sampled. */
const sampleAfterMs = 1000;
/** Reading a flood goes on in the same turn for so many reads. */
const readsPerTurnMax = 4;
/** A tree that outlives this many rounds of KILL (a process in uninterruptible sleep) is given up. */
const killRoundsMax = 100;
/** Without a control group the whole process table is read to find a tree: only every so many ticks. */
const ticksPerScan = 4;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const nothing = new Uint8Array(0);

interface Output {
  readonly pipe: OutputPipe;
  readonly lines: OutputLines;
  ended: boolean;
}

interface Running {
  readonly process: Subprocess;
  readonly slot: MemorySlot | undefined;
  readonly outputs: readonly Output[];
  readonly input: InputPipe | undefined;
  readonly oomKillsBefore: number;
}

export class Exchange implements Gated, Ticked, ReplyTarget {
  readonly replyPath: string;
  readonly #parts: RunnerParts;
  readonly #plan: ProgramPlan;
  readonly #head: RequestHead;
  readonly #host: ExchangeHost;
  #state: ExchangeState = waiting;

  /** The payload until the program is started: at most a link's window, or an argument's maximum. */
  #payload: Uint8Array[] = [];
  #payloadBytes = 0;
  #payloadWhole = false;
  #entered = false;
  #stdin: StdinFeed | undefined;
  #running: Running | undefined;
  #source: ReplySource | undefined;
  #refusedReply: string | undefined;
  #lastUnderWay = false;

  readonly #receivedAt = performance.now();
  #startAt = 0;
  #startedAt = 0;
  #replyAt = 0;
  #repliedAt = 0;
  #exitedAt = 0;
  #killAt = Number.POSITIVE_INFINITY;
  #killRounds = 0;
  #ticks = 0;
  #forced = false;
  #sampledPeakBytes = 0;
  #sampledCpuMs = 0;
  #sampledAt = 0;

  constructor(parts: RunnerParts, plan: ProgramPlan, head: RequestHead, host: ExchangeHost) {
    this.#parts = parts;
    this.#plan = plan;
    this.#head = head;
    this.#host = host;
    this.replyPath = plan.spec.replyPath.replace("{req_id}", head.id);
  }

  // --- what the host says

  /** A chunk of the request's payload; `last` once, maybe with an empty one. */
  payload(chunk: Uint8Array, last: boolean): void {
    if (this.#stdin !== undefined) return this.#stdin.write(chunk, last);
    if (this.#state.phase !== "waiting") return this.#host.consumed(chunk.byteLength);
    if (chunk.byteLength > 0) this.#payload.push(chunk);
    this.#payloadBytes += chunk.byteLength;
    this.#payloadWhole = last;
    if (this.#plan.spec.channel === "cmdline") {
      // Beyond the maximum it is refused whatever follows; up to it, it has to be whole.
      if (this.#payloadBytes > argumentBytesMax) return this.#refuseArgument(Math.max(this.#payloadBytes, this.#head.contentLength ?? 0));
      this.#host.consumed(chunk.byteLength);
      if (!last) return;
    }
    this.#enter();
  }

  /** The host ends the exchange: its program's whole tree is ended. */
  cancel(cause: EndCause): void {
    const before = this.#state;
    if (!this.#apply({ type: "stopped", cause })) return;
    if (before.phase !== "waiting") return this.#endTree();
    this.#close(endedHow(cause));
    this.#host.receipt(this.#emptyReceipt(cause === "silent" ? "itself" : cause));
  }

  /** The host has judged the reply. */
  verdict(status: number, reasons: Uint8Array): void {
    if (!this.#apply({ type: "verdict" })) return;
    const source = this.#source;
    this.#source = undefined;
    if (status === 200) source?.taken();
    else source?.judged(status, reasons);
    this.#afterReply();
  }

  /** The host has room again for the reply. */
  writable(): void {
    if (this.#lastUnderWay) this.#completeReply();
    else this.#source?.resume();
  }

  // --- what the gate and the clock say

  get waits(): boolean {
    return this.#state.phase === "waiting";
  }

  start(): void {
    this.#startAt = performance.now();
    const failure = this.#spawn();
    if (failure !== undefined) {
      this.#refuse(failure.reason, failure.detail);
      this.#parts.gate.gone(this);
      return;
    }
    this.#apply({ type: "started" });
    this.#parts.targets.set(this.replyPath, this);
    this.#parts.ticker.add(this);
  }

  tick(nowMs: number): void {
    this.#ticks++;
    const state = this.#state;
    if (state.phase === "ended") return;
    if (this.#running !== undefined) this.#readOutputs();
    if (state.phase === "ending") return this.#pursue(nowMs);
    if (Date.now() >= this.#head.deadline + this.#parts.deadlineSlackMs) return this.cancel("deadline");
    if ("program" in state && state.program === "exited" && state.phase === "replied") this.#settle();
  }

  /** What it uses now, once it has run for a second. */
  sample(nowMs: number): ProgramSample | undefined {
    const running = this.#running;
    if (running === undefined || this.#exitedAt > 0 || nowMs - this.#startedAt < sampleAfterMs) return undefined;
    const pid = running.process.pid;
    const main = processFigures(pid);
    if (main === undefined) return undefined;
    this.#sampledPeakBytes = Math.max(this.#sampledPeakBytes, main.peakBytes);
    const tree = running.slot?.processes() ?? processTree([pid]);
    let { residentBytes, cpuMs } = main;
    for (const other of tree) {
      const figures = other === pid ? undefined : processFigures(other);
      residentBytes += figures?.residentBytes ?? 0;
      cpuMs += figures?.cpuMs ?? 0;
    }
    const since = nowMs - (this.#sampledAt === 0 ? this.#startedAt : this.#sampledAt);
    const cpuNow = since > 0 ? Math.max(0, cpuMs - this.#sampledCpuMs) / since : 0;
    this.#sampledAt = nowMs;
    this.#sampledCpuMs = cpuMs;
    const ageMs = nowMs - this.#startedAt;
    return { id: this.#head.id, operation: this.#head.operation, pid, ageMs, residentBytes, cpuMs, cpuNow, processes: tree.length };
  }

  // --- what the reply socket says

  get replyStanding(): "awaited" | EndedHow {
    switch (this.#state.phase) {
      case "waiting":
      case "running":
        return "awaited";
      case "ending":
        return this.#replyAt > 0 ? "answered" : endedHow(this.#state.cause);
      default:
        return "answered";
    }
  }

  beginReply(source: ReplySource, head: ProgramReply, chunk: Uint8Array, last: boolean): boolean {
    this.#replyAt = performance.now();
    this.#source = source;
    this.#apply({ type: "reply-began" });
    this.#parts.gate.started(this);
    return this.#handedOn(this.#host.reply({ ...head, ...this.#times() }, chunk, last), last);
  }

  replyData(chunk: Uint8Array, last: boolean): boolean {
    return this.#handedOn(this.#host.replyData(chunk, last), last);
  }

  replyAborted(): void {
    if (!this.#apply({ type: "reply-aborted" })) return;
    this.#source = undefined;
    this.#repliedAt = performance.now();
    this.#host.reset({
      reason: "reply-aborted",
      detail: `The program of ${this.#plan.operation} closed its connection before its reply's end`,
    });
    this.#afterReply();
  }

  replyRefused(refusal: ReplyRefusal): void {
    this.#refusedReply = refusal.reason;
  }

  // --- starting

  #enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    const nul = valueWithNul(this.#head);
    if (nul !== undefined) return this.#refuse("bad-request", `Cannot start a program with ${nul} in its environment: it holds a NUL byte`);
    if (!this.#parts.gate.enter(this)) this.#refuse("overloaded", `${this.#parts.gate.waiting} programs wait to be started already`);
  }

  #spawn(): { reason: ResetReason; detail: string } | undefined {
    const plan = this.#plan;
    let text: string | undefined;
    if (plan.spec.channel === "cmdline") {
      const payload = this.#payload.length === 1 ? (this.#payload[0] ?? nothing) : Buffer.concat(this.#payload);
      this.#payload = [];
      const decoded = decode(payload);
      if (decoded === undefined) {
        return {
          reason: "bad-request",
          detail: `Cannot give "${plan.spec.argv[0]}" its payload as an argument: it holds a NUL byte or is not UTF-8; use channel: stdin`,
        };
      }
      text = decoded;
    }
    const argv = programArguments(plan, text);
    const oversized = oversizedArgument(argv);
    if (oversized !== undefined) return { reason: "argument-too-large", detail: argumentTooLarge(plan, oversized) };
    try {
      this.#running = this.#launch(argv, programEnvironment(plan, this.#head, this.replyPath));
    } catch (error) {
      return { reason: "spawn-failed", detail: spawnFailure(plan, error) };
    }
    for (const chunk of this.#payload.splice(0)) this.#stdin?.write(chunk, false);
    if (this.#payloadWhole) this.#stdin?.write(nothing, true);
    this.#startedAt = performance.now();
    return undefined;
  }

  /** Everything a program needs is taken here and, when the spawn throws, given back here. */
  #launch(argv: string[], environment: Record<string, string>): Running {
    const { pipes, slots } = this.#parts;
    const slot = slots?.take();
    const input = this.#plan.spec.channel === "stdin" ? pipes.takeInput() : undefined;
    const stdin = input === undefined ? undefined : new StdinFeed(input, (bytes) => this.#host.consumed(bytes));
    const stderr = this.#openOutput("stderr");
    const stdout = this.#head.logStdout ? this.#openOutput("stdout") : undefined;
    const outputs = stdout === undefined ? [stderr] : [stderr, stdout];
    const errorEnd = stderr.pipe.openForProgram();
    const outputEnd = stdout?.pipe.openForProgram();
    try {
      const options = {
        cwd: this.#plan.spec.wd,
        env: environment,
        stdin: stdin?.program ?? "ignore",
        // A pipe costs as much as a tenth of a program; nobody reads this one.
        stdout: outputEnd ?? "ignore",
        stderr: errorEnd,
        // A session of its own: its whole group can be ended, and a terminal's Ctrl-C is not its business.
        detached: true,
        onExit: this.#onExit,
        ...this.#plan.user,
      } as const;
      const process = slot === undefined ? Bun.spawn(argv, options) : slot.spawn((group) => Bun.spawn(argv, { ...options, ...group }));
      this.#stdin = stdin;
      return { process, slot, outputs, input, oomKillsBefore: slot?.outOfMemoryKills() ?? 0 };
    } catch (error) {
      stdin?.close();
      for (const output of outputs) pipes.giveOutput(output.pipe, true);
      if (slot !== undefined) slots?.give(slot);
      throw error;
    } finally {
      stdin?.spawned();
      closeSync(errorEnd);
      if (outputEnd !== undefined) closeSync(outputEnd);
      if (this.#stdin === undefined && input !== undefined) pipes.giveInput(input);
    }
  }

  #openOutput(stream: "stdout" | "stderr"): Output {
    const lines = new OutputLines((line, cut) => this.#host.log(stream, line, cut));
    return { pipe: this.#parts.pipes.takeOutput(), lines, ended: false };
  }

  #refuseArgument(bytes: number): void {
    this.#host.consumed(this.#payloadBytes);
    this.#refuse("argument-too-large", argumentTooLarge(this.#plan, bytes));
  }

  /** The exchange ends before its program began. */
  #refuse(reason: ResetReason, detail: string): void {
    if (!this.#apply({ type: "refused" })) return;
    this.#host.reset({ reason, detail });
    this.#close("too-late");
    this.#host.receipt(this.#emptyReceipt("itself"));
  }

  // --- the reply

  /** The reply is complete when its last byte has gone to the host, not when it waits for room. */
  #handedOn(room: boolean, last: boolean): boolean {
    if (last && room) this.#completeReply();
    else this.#lastUnderWay = last;
    return room;
  }

  #completeReply(): void {
    this.#lastUnderWay = false;
    this.#repliedAt = performance.now();
    const { awaitVerdict } = this.#head;
    this.#apply({ type: "reply-complete", awaitVerdict });
    if (awaitVerdict) return;
    this.#source?.taken();
    this.#source = undefined;
    this.#afterReply();
  }

  #afterReply(): void {
    if (this.#state.phase === "replied" && this.#state.program === "exited") this.#settle();
  }

  // --- the program's end

  readonly #onExit = (): void => {
    this.#exitedAt = performance.now();
    // The spawn itself may be the one that calls: nothing has been set up yet then.
    if (this.#running === undefined) {
      queueMicrotask(this.#onExit);
      return;
    }
    this.#apply({ type: "exited" });
    this.#stdin?.close();
    this.#parts.gate.started(this);
    this.#readOutputs();
    switch (this.#state.phase) {
      case "running":
        return this.#hearOut(0);
      case "replied":
        return this.#settle();
      case "ending":
        return this.#pursue(this.#exitedAt);
      default:
    }
  };

  /** A reply may lie in the socket when the exit is seen: connections get their turns before it is called silence. */
  #hearOut(turns: number): void {
    if (this.#state.phase !== "running") return;
    const reading = this.#parts.replies.hasUnattributed && performance.now() - this.#exitedAt < hearOutMs;
    if (turns < hearOutTurns || reading) {
      setImmediate(() => this.#hearOut(turns + 1));
      return;
    }
    this.#apply({ type: "silent" });
    this.#host.reset(this.#silence());
    this.#endTree();
  }

  #silence(): ResetHead {
    const how = this.#exitWords();
    if (this.#refusedReply === undefined)
      return { reason: "no-reply", detail: `The program of ${this.#plan.operation} ${how} without replying` };
    return { reason: "bad-reply", detail: `The program of ${this.#plan.operation} ${how}; its reply was refused: ${this.#refusedReply}` };
  }

  #exitWords(): string {
    const running = this.#running;
    if (running === undefined) return "ended";
    const { exitCode, signalCode } = running.process;
    if (signalCode === null) return `exited with status ${exitCode ?? "?"}`;
    const outOfMemory = signalCode === "SIGKILL" && (running.slot?.outOfMemoryKills() ?? 0) > running.oomKillsBefore;
    return outOfMemory ? "was killed by the kernel, out of memory (SIGKILL)," : `was killed by ${signalCode}`;
  }

  /** The program has exited and nothing more is expected of it: is anything it started still there? */
  #settle(): void {
    if (this.#living(false).length === 0) this.#finish();
  }

  #living(thorough: boolean): number[] {
    const running = this.#running;
    if (running === undefined) return [];
    if (running.slot !== undefined) return running.slot.processes();
    if (thorough) return programTree(running.process.pid, `REQUEST_ID=${this.#head.id}`);
    return groupLives(running.process.pid) ? [running.process.pid] : [];
  }

  #endTree(): void {
    this.#closeSource();
    const living = this.#living(true);
    this.#killAt = performance.now() + this.#parts.graceMs;
    if (living.length > 0) this.#signal(living, "SIGTERM");
    else if (this.#exitedAt > 0) this.#finish();
  }

  /** Ending, a while later: gone, or after the grace KILL until it is. */
  #pursue(nowMs: number): void {
    const grace = nowMs < this.#killAt;
    // Until then its own exit will be heard of.
    if (grace && this.#exitedAt === 0) return;
    const first = nowMs === this.#exitedAt || (!grace && this.#killRounds === 0);
    if (this.#running?.slot === undefined && !first && this.#ticks % ticksPerScan !== 0) return;
    const living = this.#living(true);
    if (living.length === 0 && this.#exitedAt > 0) return this.#finish();
    if (grace) return;
    this.#signal(living, "SIGKILL");
    if (++this.#killRounds > killRoundsMax) this.#finish();
  }

  #signal(pids: readonly number[], signal: "SIGTERM" | "SIGKILL"): void {
    this.#forced ||= pids.length > 0;
    for (const pid of pids) kill(pid, signal);
  }

  // --- output

  #readOutputs(): void {
    let flooded = false;
    for (const output of this.#running?.outputs ?? []) {
      for (let reads = 0; reads < readsPerTurnMax; reads++) {
        const found = output.pipe.read((bytes) => output.lines.push(bytes));
        output.ended = found === "ended";
        if (found !== "flood") break;
        flooded ||= reads === readsPerTurnMax - 1;
      }
    }
    // A full pipe would make the program wait for the next tick.
    if (flooded && !this.#flooding) {
      this.#flooding = true;
      setImmediate(this.#readFlood);
    }
  }

  #flooding = false;
  readonly #readFlood = (): void => {
    this.#flooding = false;
    if (this.#running !== undefined) this.#readOutputs();
  };

  // --- the end

  #finish(): void {
    const running = this.#running;
    if (running === undefined) return;
    const last = this.#state;
    this.#apply({ type: "tree-gone" });
    this.#readRest(running);
    this.#running = undefined;
    const receipt = this.#receipt(running, last);
    this.#release(running);
    this.#parts.ticker.remove(this);
    this.#close(this.#replyAt > 0 ? "answered" : last.phase === "ending" ? endedHow(last.cause) : "too-late");
    this.#host.receipt(receipt);
    this.#parts.gate.gone(this);
  }

  /** What is still in the pipes. A process that escaped and goes on writing is not waited for. */
  #readRest(running: Running): void {
    for (const output of running.outputs) {
      for (let reads = 0; !output.ended && reads < readsPerTurnMax; reads++) {
        const found = output.pipe.read((bytes) => output.lines.push(bytes));
        output.ended = found === "ended";
        if (found === "open" && reads > 0) break;
      }
      output.lines.end();
    }
  }

  #release(running: Running): void {
    const { pipes, slots } = this.#parts;
    for (const output of running.outputs) pipes.giveOutput(output.pipe, output.ended);
    if (running.input !== undefined) pipes.giveInput(running.input);
    if (running.slot !== undefined) slots?.give(running.slot);
  }

  #receipt(running: Running, last: ExchangeState): ReceiptHead {
    const now = performance.now();
    const { exitCode, signalCode } = running.process;
    const usage = running.process.resourceUsage();
    const signal = signalCode === null ? undefined : `${signalCode}`;
    return {
      ...this.#times(),
      replyMs: round(this.#repliedAt > 0 ? this.#repliedAt - this.#replyAt : 0),
      totalMs: round(now - this.#receivedAt),
      cpuUserMs: Number(usage?.cpuTime.user ?? 0) / 1000,
      cpuSystemMs: Number(usage?.cpuTime.system ?? 0) / 1000,
      ...this.#memory(running, usage?.maxRSS ?? 0),
      ...(exitCode === null || signal !== undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      endedBy: endedBy(last, this.#forced, signal),
      outputBytesDropped: running.outputs.reduce((sum, output) => sum + output.lines.bytesDropped, 0),
    };
  }

  #emptyReceipt(by: ReceiptHead["endedBy"]): ReceiptHead {
    const now = performance.now();
    return emptyReceipt((this.#startAt > 0 ? this.#startAt : now) - this.#receivedAt, now - this.#receivedAt, by);
  }

  #times(): Pick<ReceiptHead, "waitMs" | "spawnMs" | "runMs"> {
    const replyAt = this.#replyAt > 0 ? this.#replyAt : this.#exitedAt;
    return {
      waitMs: round(this.#startAt - this.#receivedAt),
      spawnMs: round(this.#startedAt - this.#startAt),
      runMs: round(Math.max(0, replyAt - this.#startedAt)),
    };
  }

  /** The kernel's figure starts at the runner's own high-water mark: above it it is the program's, else only a bound. */
  #memory(running: Running, kernelBytes: number): Pick<ReceiptHead, "memoryPeakBytes" | "memorySource"> {
    if (running.slot !== undefined) return { memoryPeakBytes: running.slot.peakBytes(), memorySource: "cgroup" };
    if (kernelBytes > ownPeakBytes()) return { memoryPeakBytes: kernelBytes, memorySource: "sampled" };
    if (this.#sampledPeakBytes > 0) return { memoryPeakBytes: this.#sampledPeakBytes, memorySource: "sampled" };
    return { memoryPeakBytes: kernelBytes, memorySource: "at-most" };
  }

  #closeSource(): void {
    const source = this.#source;
    this.#source = undefined;
    source?.tooLate(this.#state.phase === "ending" ? endedHow(this.#state.cause) : "too-late");
  }

  #close(how: EndedHow): void {
    this.#closeSource();
    this.#payload = [];
    this.#parts.targets.delete(this.replyPath);
    this.#parts.ended.add(this.replyPath, how);
    this.#parts.over(this);
  }

  /** Whether the event changed anything. */
  #apply(event: ExchangeEvent): boolean {
    const next = transition(this.#state, event);
    if (next === this.#state) return false;
    this.#state = next;
    return true;
  }
}

/** The receipt of an exchange whose program was never started. */
export function emptyReceipt(waitMs: number, totalMs: number, by: ReceiptHead["endedBy"]): ReceiptHead {
  const none = { spawnMs: 0, runMs: 0, replyMs: 0, cpuUserMs: 0, cpuSystemMs: 0, outputBytesDropped: 0 };
  return { waitMs: round(waitMs), totalMs: round(totalMs), ...none, endedBy: by };
}

function endedHow(cause: EndCause): EndedHow {
  return cause === "client-left" ? "client-left" : "too-late";
}

function argumentTooLarge(plan: ProgramPlan, bytes: number): string {
  return `Cannot give "${plan.spec.argv[0]}" its payload as an argument: ${bytes} bytes, the kernel takes ${argumentBytesMax}; use channel: stdin`;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

function groupLives(leader: number): boolean {
  return kill(-leader, 0);
}

function kill(pid: number, signal: "SIGTERM" | "SIGKILL" | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // It is there, but belongs to somebody else: only ESRCH means gone.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
