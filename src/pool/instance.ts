/**
 * One running copy of an app: its folder, its runner in its sandbox, and the work that is under way on it. It starts whole
 * or not at all, and when it ends, for whatever reason, nothing of it is left and all its work has been told.
 */
import { type LimitName, limitNameOf } from "../core/limit-name.ts";
import type { Frame } from "../link/frames.ts";
import type { AbandonedHead, CallHead, ConnectHead, HealthHead, LoadedHead, LogHead, RequestHead, SampleHead } from "../link/messages.ts";
import type { InstanceUsage } from "../sandbox/sandbox.ts";
import type { InstanceSample } from "../telemetry/instance-sample.ts";
import { HeldPlaces } from "./held-places.ts";
import { type InstanceOptions, InstanceRunner, type RunnerEnd } from "./instance-runner.ts";
import { type InstanceEvent, type InstanceState, transition } from "./instance-state.ts";
import { LimitWatch } from "./limit-watch.ts";
import type { Place, PlaceHolder } from "./place.ts";
import { Pulse } from "./pulse.ts";
import { RunnerCall } from "./runner-call.ts";
import { RunnerClient } from "./runner-client.ts";
import { closedLink, type RunnerConnection } from "./runner-connection.ts";
import { RunnerProgram } from "./runner-program.ts";
import { outputOf, parseHead, sampleOf } from "./runner-word.ts";
import type { RunnerWork, WorkHost } from "./runner-work.ts";
import { usageAtEnd } from "./usage-at-end.ts";
import type {
  CallHandle,
  ConnectionHandle,
  ConnectionSink,
  ExchangeHandle,
  ExchangeSink,
  PlaceOutcome,
  ReachedLimit,
  Upstream,
  WorkOutput,
} from "./work.ts";

export interface InstanceEvents {
  /** What long-running programs use now. */
  sample(sample: SampleHead): void;
  /** A line of no work that is under way. */
  output(line: StrayOutput): void;
  /** It may take work now that it could not take before, or may not any more. */
  changed(): void;
  /** Some of its work is over. */
  freed(outcome: PlaceOutcome): void;
  /** So many calls that the host gave up go on. */
  abandoned(calls: number): void;
  /** Its daemon fails its health checks, or passes them again: `ailment` says. */
  health(): void;
  /** It is over, once; its work has been told. @param usage at its end. */
  stopped(reason: string, usage: InstanceUsage): void;
}

/** A line of functions outside of any call, or after it. */
export interface StrayOutput extends WorkOutput {
  readonly id?: string;
  readonly operation?: string;
}

/** Why an instance never served. */
export class InstanceFailure extends Error {
  override readonly name = "InstanceFailure";
  /** "reply-socket-in-use": the configured reply socket belongs to another live host. */
  readonly code: string | undefined;
  /** What to look at. */
  readonly hint: string | undefined;

  constructor(message: string, code?: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** From the runner's start until it serves, beside its daemon's own. Above what the slowest machine needs: a Raspberry Pi 3 takes one second. */
const startTimeoutMs = 15_000;
/** Instances that were made. */
let made = 0;

export class Instance implements PlaceHolder {
  /** UUID, told to its programs, functions and daemon as UROCKET_INSTANCE. */
  readonly id: string;
  /** Rises with each that is made. */
  readonly order = ++made;
  readonly startedMs = performance.now();
  /** Work under way, by kind. */
  programs = 0;
  calls = 0;
  connections = 0;
  /** Connections that wait for an answer. */
  busyConnections = 0;
  /** Exchanges and calls it was given, and lines of connections. */
  served = 0;
  /** Positions of the calls that Fetch handlers serve; known when it serves. */
  fetches: readonly number[] = [];
  /** How its daemon is reached; known when it serves. */
  upstream: Upstream;
  /** Why its daemon fails its health checks; undefined: it does not. */
  ailment: string | undefined;

  readonly #events: InstanceEvents;
  readonly #options: InstanceOptions;
  readonly #runner: InstanceRunner;
  readonly #host: WorkHost;
  readonly #limits: LimitWatch;
  readonly #pulse = new Pulse();
  readonly #work = new Map<number, RunnerWork>();
  readonly #places = new HeldPlaces();
  readonly #started = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  readonly #startTimer: ReturnType<typeof setTimeout>;
  #state: InstanceState = { at: "starting" };
  /** Of its daemon, for the log alone. */
  #serviceLastWords = "";
  #idleSince = performance.now();
  #lastNumber = 0;

  /**
   * Starts it. `ready` tells how that went.
   * @param spare a runner that has greeted and is now this instance's; without one a runner is started.
   * @throws Error, with nothing left behind, when its folder, its link or its runner's process cannot be made.
   */
  constructor(options: InstanceOptions, events: InstanceEvents, spare?: RunnerConnection) {
    const runnerEvents = {
      frame: (frame: Frame) => this.#frame(frame),
      died: (reason: string) => this.#died(reason),
      unconfined: (reason: string) => this.#stop(reason),
    };
    this.#events = events;
    this.#options = options;
    this.#runner = new InstanceRunner(options, runnerEvents, spare);
    const { id } = this.#runner;
    this.id = id;
    this.upstream = { instance: id, connect: (sink) => this.#connectUpstream(sink) };
    this.#limits = new LimitWatch(() => this.usage(), options.confinement.limits);
    this.#host = {
      channel: this.#runner.channel,
      id,
      limits: this.#limits,
      over: (work, sound) => this.#workOver(work, sound),
      givenUp: (reason) => (reason === "deadline" ? this.#pulse.overdue() : this.#pulse.want()),
      busier: (by) => void (this.busyConnections += by),
      lines: (count) => void (this.served += count),
    };
    const startMs = startTimeoutMs + (options.load.service?.startTimeoutMs ?? 0);
    this.#startTimer = setTimeout(() => this.#stop(`did not start within ${startMs} ms`), startMs);
    // Whoever does not ask for readiness hears of the failure by `stopped`.
    this.#started.promise.catch(() => {});
  }

  get state(): InstanceState["at"] {
    return this.#state.at;
  }

  /** Limits that this machine does not let us hold, as sentences; known when it serves. */
  get limitsNotHeld(): readonly string[] {
    return this.#runner.limitsNotHeld;
  }

  /** The runner's process; undefined: it is not known. */
  get pid(): number | undefined {
    return this.#runner.process.pid;
  }

  /** Work under way: exchanges, calls, connections of clients, and places at its daemon. */
  get open(): number {
    return this.#runnerWork + this.places;
  }

  /** Requests that its daemon has. */
  get places(): number {
    return this.#places.count;
  }

  /** For how long it has had no work, in ms. */
  get idleMs(): number {
    return this.open > 0 ? 0 : performance.now() - this.#idleSince;
  }

  /** Its runner has work, or has to answer: `beat` has to be called. */
  get watched(): boolean {
    return this.#runnerWork > 0 || this.#pulse.awaited;
  }

  /** What it uses now; what is not known is absent. */
  usage(): InstanceUsage {
    return this.#runner.process.usage();
  }

  /** What it is and uses now. */
  sample(): InstanceSample {
    const { id, state, pid, open, served } = this;
    const { confinement, sandbox } = this.#options;
    return {
      app: confinement.name,
      instance: id,
      sandbox: sandbox.kind,
      state,
      ...(pid === undefined ? {} : { pid }),
      ageMs: performance.now() - this.startedMs,
      open,
      served,
      ...this.usage(),
    };
  }

  /** Resolves when it serves; rejects with the reason when it never will. */
  get ready(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves when nothing of it is left. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Hands it an exchange with a program. */
  exchange(request: RequestHead, payload: Uint8Array, sink: ExchangeSink): ExchangeHandle {
    const work = new RunnerProgram(this.#host, this.#nextNumber(), sink);
    this.programs++;
    this.#take(work);
    work.begin(request, payload);
    return work;
  }

  /** Calls a function of it. */
  call(call: CallHead, body: Uint8Array, last: boolean, sink: ExchangeSink): CallHandle {
    const work = new RunnerCall(this.#host, this.#nextNumber(), sink);
    this.calls++;
    this.#take(work);
    work.begin(call, body, last);
    return work;
  }

  /** Hands it a listener's client. */
  connect(connection: ConnectHead, sink: ConnectionSink): ConnectionHandle {
    const work = new RunnerClient("connection", this.#host, this.#nextNumber(), sink);
    this.connections++;
    this.#take(work);
    work.begin(connection);
    return work;
  }

  /** Gives a request a place at its daemon. */
  hold(place: Place): void {
    this.served++;
    this.#places.add(place);
    place.heldBy(this);
  }

  /** To be called by a place that it holds. */
  released(place: Place, outcome: PlaceOutcome): void {
    this.#places.remove(place);
    this.#freed(outcome);
  }

  /** Its daemon has said nothing to some requests in a row: it is asked for any sign of life, and `health` follows if there is none. */
  doubtService(): void {
    this.#runner.channel.send("doubt", 0);
  }

  strain(sinceMs: number): string | undefined {
    return this.#limits.strainSince(sinceMs, performance.now());
  }

  reachedLimit(sinceMs: number): ReachedLimit | undefined {
    const limit = this.#limits.reachedSince(sinceMs, performance.now());
    return limit === undefined ? undefined : { limit, words: `the app's instance ${this.#limits.words(limit, performance.now())}` };
  }

  /** Stops it in place, when it is ready and has no work. */
  freeze(): boolean {
    if (this.open > 0 || this.#pulse.awaited || !this.#step({ event: "freeze" })) return false;
    this.#runner.process.pause();
    return true;
  }

  /** Continues it, when it is frozen. */
  wake(): void {
    if (!this.#step({ event: "wake" })) return;
    this.#runner.process.resume();
    this.#idleSince = performance.now();
  }

  /** To be called each `beatMs` while it has work, or is `watched`. */
  beat(): void {
    const { at } = this.#state;
    if (at === "starting" || at === "frozen" || at === "stopped") return;
    if (!this.#limits.beat(performance.now())) return this.#died("was ended by the host", "memory");
    if (!this.watched) return;
    // Whoever is silent and has nothing left to do loops for nobody.
    if (this.#runnerWork === 0 && at === "unresponsive") this.#pulse.overdue();
    switch (this.#pulse.beat()) {
      case "ask":
        return this.#runner.channel.send("ping", 0);
      case "silent":
        if (this.#step({ event: "silent" })) this.#events.changed();
        return;
      case "lost":
        return this.#stop("did not answer for more than a second, and was past a deadline: it was ended");
      case "wait":
    }
  }

  /** Lets it finish what it has, then stops it. Resolves when nothing of it is left. */
  drain(): Promise<void> {
    const frozen = this.#state.at === "frozen";
    if (this.#step({ event: "drain" })) {
      if (frozen) this.#runner.process.resume();
      this.#started.reject(new Error("was stopped before it had started"));
      // A daemon goes on for those who have a place at it: it is ended with the link.
      if (this.#options.load.service === undefined) this.#runner.channel.send("drain", 0);
      this.#stopWhenIdle();
    }
    return this.over;
  }

  /** Ends it at once with all it runs. */
  async kill(reason: string): Promise<void> {
    this.#stop(reason);
    return this.over;
  }

  /** Exchanges, calls and connections of clients. */
  get #runnerWork(): number {
    return this.programs + this.calls + this.connections;
  }

  #connectUpstream(sink: ConnectionSink): ConnectionHandle {
    const work = new RunnerClient("upstream", this.#host, this.#nextNumber(), sink);
    this.#work.set(work.number, work);
    this.#runner.channel.exchangesOpen = this.#work.size;
    work.begin({ id: this.id, timeoutMs: 0 });
    if (this.#state.at === "stopped") work.lost("The app's instance ended");
    return work;
  }

  #nextNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    while (this.#lastNumber === 0 || this.#work.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #take(work: RunnerWork): void {
    if (this.#state.at === "frozen") this.wake();
    if (work.kind !== "connection") this.served++;
    this.#work.set(work.number, work);
    this.#runner.channel.exchangesOpen = this.#work.size;
  }

  #frame(frame: Frame): void {
    const work = this.#work.get(frame.exchange);
    switch (frame.type) {
      case "loaded":
        return this.#loaded(parseHead<LoadedHead>(frame));
      case "pong":
        this.#pulse.answered();
        if (this.#step({ event: "answered" })) this.#events.changed();
        return;
      case "log":
        return work === undefined ? this.#stray(frame) : work.output(frame);
      case "sample":
        return this.#events.sample(sampleOf(frame));
      case "abandoned":
        return this.#events.abandoned(Number(parseHead<Partial<AbandonedHead>>(frame).calls));
      case "health":
        return this.#health(parseHead<Partial<HealthHead>>(frame));
      default:
        // What the host has ended the runner may still speak of.
        work?.frame(frame);
    }
  }

  #stray(frame: Frame): void {
    const head = parseHead<Partial<LogHead>>(frame);
    // A program's lines end with its exchange.
    if (head.stream !== "log" && frame.exchange !== 0) return;
    const { id, operation } = head;
    this.#events.output({
      ...outputOf(frame, head),
      ...(typeof id === "string" ? { id } : {}),
      ...(typeof operation === "string" ? { operation } : {}),
    });
  }

  #health({ state, detail, lastWords, limit }: Partial<HealthHead>): void {
    const words = typeof detail === "string" ? detail : "ended";
    if (typeof lastWords === "string") this.#serviceLastWords = lastWords;
    if (state === "ended") return this.#died(`its service ${words}`, limitNameOf(limit));
    this.ailment = state === "well" ? undefined : words;
    this.#events.health();
  }

  #refused({ message, code }: Partial<LoadedHead & { readonly ok: false }>): void {
    const why = typeof message === "string" ? message : "it was not loaded";
    this.#stop(why, code === "reply-socket-in-use" ? code : undefined);
  }

  #loaded(loaded: LoadedHead): void {
    if (loaded.ok !== true) return this.#refused(loaded);
    clearTimeout(this.#startTimer);
    this.fetches = loaded.fetches ?? [];
    this.#limits.confined(this.#runner.held, this.#options.load.functions !== undefined);
    const address = loaded.servicePort === undefined ? undefined : this.#runner.addressOf(loaded.servicePort);
    if (address !== undefined) this.upstream = { ...this.upstream, address };
    if (!this.#step({ event: "loaded" })) return;
    this.#idleSince = performance.now();
    this.#started.resolve();
    this.#events.changed();
  }

  #workOver(work: RunnerWork, sound: boolean): void {
    this.#work.delete(work.number);
    this.#runner.channel.exchangesOpen = this.#work.size;
    switch (work.kind) {
      case "upstream":
        // Whether it did what it should is told by the places.
        return;
      case "call":
        this.calls--;
        break;
      case "program":
        this.programs--;
        break;
      case "connection":
        this.connections--;
    }
    this.#freed(sound ? "sound" : "failed");
  }

  #freed(outcome: PlaceOutcome): void {
    if (this.open === 0) {
      this.#idleSince = performance.now();
      this.#stopWhenIdle();
    }
    this.#events.freed(outcome);
  }

  #stopWhenIdle(): void {
    if (this.#state.at === "draining" && this.open === 0) this.#stop("drained");
  }

  #step(event: InstanceEvent): boolean {
    const next = transition(this.#state, event);
    if (next !== undefined) this.#state = next;
    return next !== undefined;
  }

  /** It is over, and not because the host wanted it. @param limit that its runner says it ran into. */
  #died(reason: string, limit = this.#limits.reachedAtLast(performance.now())): void {
    this.#stop(reason, undefined, limit);
  }

  #stop(reason: string, code?: string, limit?: LimitName): void {
    const drained = this.#state.at === "draining" && this.open === 0;
    if (!this.#step({ event: "stopped", reason })) return;
    clearTimeout(this.#startTimer);
    this.#events.changed();
    const limitWords = limit === undefined ? [] : [`it ${this.#limits.words(limit, performance.now())}`];
    const detail = ["The app's instance ended", ...(reason === closedLink ? [] : [reason]), ...limitWords].join(": ");
    for (const work of this.#work.values()) work.lost(detail, limit);
    this.#places.lose(detail, limit);
    this.upstream.onEnding?.();
    // One that is silent does not hear that it should end.
    const how = drained && !this.#pulse.silent ? "gently" : "at-once";
    void this.#runner.end(how, reason).then((end) => {
      const why = this.#reasonOf(end, limitWords);
      this.#started.reject(new InstanceFailure(why, code));
      this.#events.stopped(why, usageAtEnd(this.#limits.usage, end.usage));
      this.#over.resolve();
    });
  }

  #reasonOf({ reason, lastWords }: RunnerEnd, limitWords: readonly string[]): string {
    const why = [reason, ...limitWords].join(": ");
    const words = lastWords || this.#serviceLastWords;
    return words === "" || why.includes(words) ? why : `${why}; its last words: ${words}`;
  }
}
