/**
 * One request on its way through a program: starts it, gives it its payload, takes its reply and its output, sees to
 * its end and to the end of everything it started, and says at last what it used. What may follow what is decided by
 * `exchange-state.ts`; here is what is done about it.
 */
import { argumentBytesMax } from "../core/program-arguments.ts";
import type { Ticked } from "../core/ticker.ts";
import type { ProgramSample, ReceiptHead, ReplyHead, RequestHead, ResetHead } from "../link/messages.ts";
import type { EndedHow } from "./ended-exchanges.ts";
import { type EndCause, endedBy, type ExchangeEvent, type ExchangeState, transition, waiting } from "./exchange-state.ts";
import { argumentText, argumentTooLarge, notAnArgument } from "./payload-argument.ts";
import { Program } from "./program.ts";
import { oversizedArgument, type ProgramPlan, programArguments, programEnvironment, spawnAttempt, valueWithNul } from "./program-plan.ts";
import type { ProgramReply } from "./reply-head.ts";
import type { ReplyRefusal, ReplySource, ReplyTarget } from "./reply-connection.ts";
import type { RunnerParts } from "./runner-parts.ts";
import { spawnFailure } from "./spawn-failure.ts";
import type { Gated } from "./start-gate.ts";
import { TreeEnding } from "./tree-ending.ts";

/** What an exchange tells the host. A false from `reply` or `replyData`: nothing more before `writable` is called. */
export interface ExchangeHost {
  reply(head: ReplyHead, chunk: Uint8Array, last: boolean): boolean;
  replyData(chunk: Uint8Array, last: boolean): boolean;
  /** The exchange has failed, for this reason. A receipt may still follow. */
  failed(head: ResetHead): void;
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
const nothing = new Uint8Array(0);

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
  #program: Program | undefined;
  #source: ReplySource | undefined;
  #refusedReply: string | undefined;
  #lastUnderWay = false;

  readonly #receivedAt = performance.now();
  #startAt = 0;
  #startedAt = 0;
  #replyAt = 0;
  #repliedAt = 0;
  #exitedAt = 0;
  #ending: TreeEnding | undefined;
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
    if (this.#program?.stdin !== undefined) return this.#program.stdin.write(chunk, last);
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
      this.#refuse(failure);
      this.#parts.gate.gone(this);
      return;
    }
    this.#apply({ type: "started" });
    this.#parts.targets.set(this.replyPath, this);
    this.#parts.ticker.add(this);
  }

  tick(nowMs: number): void {
    const state = this.#state;
    if (state.phase === "ended") return;
    this.#program?.readOutputs();
    if (this.#parts.memoryWatchedBytesMax !== undefined && this.#exitedAt === 0)
      this.#program?.holdMemory(this.#parts.memoryWatchedBytesMax);
    if (state.phase === "ending") return this.#pursue(nowMs);
    if (Date.now() >= this.#head.deadline + this.#parts.deadlineSlackMs) return this.cancel("deadline");
    if ("program" in state && state.program === "exited" && state.phase === "replied") this.#settle();
  }

  /** What it uses now, once it has run for a second. */
  sample(nowMs: number): ProgramSample | undefined {
    const ageMs = nowMs - this.#startedAt;
    if (this.#program === undefined || this.#exitedAt > 0 || ageMs < sampleAfterMs) return undefined;
    const use = this.#program.use();
    if (use === undefined) return undefined;
    const sinceMs = this.#sampledAt === 0 ? ageMs : nowMs - this.#sampledAt;
    const cpuNow = sinceMs > 0 ? Math.max(0, use.cpuMs - this.#sampledCpuMs) / sinceMs : 0;
    this.#sampledAt = nowMs;
    this.#sampledCpuMs = use.cpuMs;
    return { id: this.#head.id, operation: this.#head.operation, pid: this.#program.pid, ageMs, ...use, cpuNow };
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
    this.#host.failed({
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
    if (nul !== undefined) {
      const detail = `Cannot start a program with ${nul} in its environment: it holds a NUL byte`;
      return this.#refuse({ reason: "bad-request", detail });
    }
    if (!this.#parts.gate.enter(this)) {
      this.#refuse({ reason: "overloaded", detail: `${this.#parts.gate.waiting} programs wait to be started already` });
    }
  }

  #spawn(): ResetHead | undefined {
    const plan = this.#plan;
    let text: string | undefined;
    if (plan.spec.channel === "cmdline") {
      const payload = this.#payload.length === 1 ? (this.#payload[0] ?? nothing) : Buffer.concat(this.#payload);
      this.#payload = [];
      text = argumentText(payload);
      if (text === undefined) return notAnArgument(plan);
    }
    const argv = programArguments(plan, text);
    const oversized = oversizedArgument(argv);
    if (oversized !== undefined) return argumentTooLarge(plan, oversized);
    try {
      this.#program = new Program(this.#parts, {
        plan,
        argv,
        environment: programEnvironment(plan, this.#head, this.replyPath),
        mark: `REQUEST_ID=${this.#head.id}`,
        logStdout: this.#head.logStdout,
        onLine: this.#onLine,
        onConsumed: this.#onConsumed,
        onExit: this.#onExit,
      });
    } catch (error) {
      return { reason: "spawn-failed", ...spawnFailure(spawnAttempt(plan), error) };
    }
    const { stdin } = this.#program;
    for (const chunk of this.#payload.splice(0)) stdin?.write(chunk, false);
    if (this.#payloadWhole) stdin?.write(nothing, true);
    this.#startedAt = performance.now();
    return undefined;
  }

  readonly #onLine = (stream: "stdout" | "stderr", line: Uint8Array, cut: boolean): boolean => this.#host.log(stream, line, cut);
  readonly #onConsumed = (bytes: number): void => this.#host.consumed(bytes);

  #refuseArgument(bytes: number): void {
    this.#host.consumed(this.#payloadBytes);
    this.#refuse(argumentTooLarge(this.#plan, bytes));
  }

  /** The exchange ends before its program began. */
  #refuse(why: ResetHead): void {
    if (!this.#apply({ type: "refused" })) return;
    this.#host.failed(why);
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
    if (this.#program === undefined) {
      queueMicrotask(this.#onExit);
      return;
    }
    this.#apply({ type: "exited" });
    this.#program.stdin?.close();
    this.#parts.gate.started(this);
    this.#program.readOutputs();
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
    this.#host.failed(this.#silence());
    this.#endTree();
  }

  #silence(): ResetHead {
    const program = this.#program;
    const what = `The program of ${this.#plan.operation} ${program?.exitWords ?? "ended"}`;
    const end = {
      ...(program?.endedBadly === true ? { badExit: true as const } : {}),
      ...(program?.wasOutOfMemory === true ? { limit: "memory" as const } : {}),
    };
    if (this.#refusedReply === undefined) return { reason: "no-reply", detail: `${what} without replying`, ...end };
    return { reason: "bad-reply", detail: `${what}; its reply was refused: ${this.#refusedReply}`, ...end };
  }

  /** The program has exited and nothing more is expected of it: is anything it started still there? */
  #settle(): void {
    if (this.#program?.leavesSomething() === false) this.#finish();
  }

  #endTree(): void {
    this.#closeSource();
    if (this.#program === undefined) return;
    this.#ending = new TreeEnding(this.#program, performance.now(), this.#parts.graceMs);
    if (this.#ending.begin(this.#exitedAt > 0)) this.#finish();
  }

  #pursue(nowMs: number): void {
    if (this.#ending?.pursue(nowMs, this.#exitedAt) === true) this.#finish();
  }

  // --- the end

  #finish(): void {
    const program = this.#program;
    if (program === undefined) return;
    const last = this.#state;
    this.#apply({ type: "tree-gone" });
    this.#program = undefined;
    const end = program.release(this.#ending?.abandoned ?? false);
    this.#parts.ticker.remove(this);
    this.#close(this.#replyAt > 0 ? "answered" : last.phase === "ending" ? endedHow(last.cause) : "too-late");
    this.#host.receipt({
      ...this.#times(),
      replyMs: round(this.#repliedAt > 0 ? this.#repliedAt - this.#replyAt : 0),
      totalMs: round(performance.now() - this.#receivedAt),
      ...end,
      endedBy: endedBy(last, this.#ending?.forced ?? false, end.signal),
    });
    this.#parts.gate.gone(this);
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

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
