/**
 * An instance's runner: what it was told to serve, and the exchanges that are under way. It makes the reply sockets,
 * takes requests from the host and ends everything when the host is gone. It knows the host through `RunnerLink`, so
 * that tests need no link.
 */
import { cpus } from "node:os";
import { chmodSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Ticked, Ticker } from "../core/ticker.ts";
import { findUser, type UserIds } from "../core/users.ts";
import type { LoadedHead, LoadHead, RequestHead, SampleHead } from "../link/messages.ts";
import { MemorySlots } from "../sandbox/memory-slots.ts";
import { EndedExchanges } from "./ended-exchanges.ts";
import { emptyReceipt, Exchange, type ExchangeHost } from "./exchange.ts";
import { type ProgramPlan, planProgram } from "./program-plan.ts";
import type { ReplyTarget } from "./reply-connection.ts";
import { ReplyServer } from "./reply-server.ts";
import { findSibling } from "./reply-siblings.ts";
import type { RunnerParts } from "./runner-parts.ts";
import { type Gated, StartGate } from "./start-gate.ts";
import { StdioPipes } from "./stdio-pipes.ts";

/** Programs that are in their first milliseconds at once, a core. Measured: fewer leave a core idle, more make all slower. */
const startingPerCore = 1;
const sampleEveryMs = 1000;
/** The host's word about a deadline comes first; the runner's own clock is for when it does not come. */
const deadlineSlackMs = 500;

export type LoadedRunner = { readonly ok: true; readonly runner: Runner } | (LoadedHead & { readonly ok: false });

export class Runner {
  readonly #parts: RunnerParts;
  readonly #plans = new Map<string, ProgramPlan>();
  readonly #replies: ReplyServer;
  readonly #pipes: StdioPipes;
  readonly #slots: MemorySlots | undefined;
  readonly #exchanges = new Set<Exchange>();
  readonly #ticked: Ticked = { tick: (nowMs) => this.#tick(nowMs) };
  readonly #sample: (sample: SampleHead) => void;
  #sampledAt = 0;
  #sampledSome = false;
  #idle: (() => void) | undefined;

  private constructor(load: LoadHead, pipes: StdioPipes, sample: (sample: SampleHead) => void) {
    this.#pipes = pipes;
    this.#sample = sample;
    this.#slots = load.memorySlots === undefined ? undefined : new MemorySlots(load.memorySlots.version, load.memorySlots.folder);
    const targets = new Map<string, ReplyTarget>();
    const ended = new EndedExchanges();
    this.#replies = new ReplyServer({ targets, ended, findSibling: (path) => findSibling(load.siblings, load.replySocket, path) }, () =>
      this.#parts.ticker.add(this.#ticked),
    );
    this.#parts = {
      gate: new StartGate(load.programsMax, startingPerCore * cpus().length),
      ticker: new Ticker(),
      pipes,
      targets,
      ended,
      replies: this.#replies,
      graceMs: load.graceMs,
      deadlineSlackMs,
      over: (exchange) => this.#over(exchange),
      ...(this.#slots === undefined ? {} : { slots: this.#slots }),
      ...(load.runnerLimited === undefined ? {} : { runnerLimited: load.runnerLimited }),
      ...(load.memoryWatchedBytesMax === undefined ? {} : { memoryWatchedBytesMax: load.memoryWatchedBytesMax }),
    };
  }

  /**
   * Makes an instance's runner ready to serve. What it made is removed again when it cannot.
   * @param sample is told what long-running programs use, about each second.
   */
  static async load(load: LoadHead, sample: (sample: SampleHead) => void): Promise<LoadedRunner> {
    let pipes: StdioPipes;
    try {
      pipes = new StdioPipes(join(dirname(load.replySocket), "pipes"));
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
    const runner = new Runner(load, pipes, sample);
    const failure = await runner.#open(load);
    if (failure === undefined) return { ok: true, runner };
    runner.close();
    return failure;
  }

  get exchangesOpen(): number {
    return this.#exchanges.size;
  }

  /** Takes a request. Its payload follows by `payload` of what is returned. */
  request(head: RequestHead, host: ExchangeHost): Exchange | undefined {
    const plan = this.#plans.get(head.operation);
    if (plan === undefined) {
      host.failed({ reason: "spawn-failed", detail: `This instance has no program for ${head.operation}` });
      host.receipt(emptyReceipt(0, 0, "itself"));
      return undefined;
    }
    const exchange = new Exchange(this.#parts, plan, head, host);
    this.#exchanges.add(exchange);
    this.#parts.ticker.add(this.#ticked);
    return exchange;
  }

  /** Ends every program, and resolves when nothing of them is left. */
  async endAll(): Promise<void> {
    for (const exchange of this.#exchanges) exchange.cancel("shutdown");
    if (this.#exchanges.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Removes what it made. Nothing may run any more. */
  close(): void {
    this.#replies.close();
    this.#parts.ticker.close();
    this.#parts.gate.close();
    this.#pipes.close();
    this.#slots?.close();
  }

  async #open(load: LoadHead): Promise<(LoadedHead & { readonly ok: false }) | undefined> {
    const users = new Map<string, UserIds>();
    for (const [operation, spec] of Object.entries(load.programs)) {
      const user = spec.user === undefined ? undefined : resolveUser(spec.user, operation, users);
      if (typeof user === "string") return { ok: false, message: user };
      const socket = user === undefined ? load.replySocket : userSocket(load.replySocket, user);
      this.#plans.set(operation, planProgram(operation, spec, load, socket, user));
    }
    // The configured one last: what fails before leaves it with whom it belongs to.
    return (await this.#openSocket(load.replySocket, true)) ?? (await this.#openForUsers(load, users)) ?? (await this.#openShared(load));
  }

  async #openShared(load: LoadHead): Promise<(LoadedHead & { readonly ok: false }) | undefined> {
    if (load.sharedReplySocket === undefined) return undefined;
    return this.#openSocket(load.sharedReplySocket, load.takesOverReplySocket === true);
  }

  async #openForUsers(load: LoadHead, users: ReadonlyMap<string, UserIds>): Promise<(LoadedHead & { readonly ok: false }) | undefined> {
    // Others may pass through the instance's folder to their own socket, and see nothing else of it.
    if (users.size > 0) chmodSync(dirname(load.replySocket), 0o711);
    const owners = new Map([...users.values()].map((user) => [user.uid, user]));
    for (const user of owners.values()) {
      const failure = await this.#openSocket(userSocket(load.replySocket, user), true, user);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  async #openSocket(path: string, takeOver: boolean, owner?: UserIds): Promise<(LoadedHead & { readonly ok: false }) | undefined> {
    const opened = await this.#replies.open(path, takeOver, owner);
    if (opened.ok) return undefined;
    return { ok: false, message: opened.message, ...(opened.inUse ? { code: "reply-socket-in-use" } : {}) };
  }

  #over(exchange: Gated): void {
    // Only exchanges enter the gate.
    this.#exchanges.delete(exchange as Exchange);
    if (this.#exchanges.size === 0) this.#idle?.();
  }

  #tick(nowMs: number): void {
    this.#replies.tick(nowMs);
    const idle = this.#exchanges.size === 0;
    if (idle && this.#replies.connections === 0) this.#parts.ticker.remove(this.#ticked);
    if (nowMs - this.#sampledAt < sampleEveryMs && !(idle && this.#sampledSome)) return;
    this.#sampledAt = nowMs;
    const programs = [...this.#exchanges].flatMap((exchange) => exchange.sample(nowMs) ?? []);
    // An empty sample once, when the last long-running program has ended: else it would seem to run on.
    if (programs.length > 0 || this.#sampledSome) this.#sample({ programs });
    this.#sampledSome = programs.length > 0;
  }
}

function userSocket(replySocket: string, user: UserIds): string {
  return join(dirname(replySocket), `reply-${user.uid}.sock`);
}

/** A user's ids, or in words why its programs cannot be run. */
function resolveUser(name: string, operation: string, known: Map<string, UserIds>): UserIds | string {
  const user = known.get(name) ?? findUser(name);
  if (user === undefined) return `cannot run ${operation} as user "${name}": the system has no such user`;
  const own = process.getuid?.() ?? 0;
  if (own !== 0 && own !== user.uid) return `cannot run ${operation} as user "${name}": only root may start programs as another user`;
  known.set(name, user);
  return user;
}
