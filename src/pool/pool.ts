/**
 * The instances of an app's revision: picks one for each exchange, call and connection, starts more while there is work for
 * them, freezes and stops those that are idle, replaces one that dies, is worn out or does not answer. Work that comes while none has room waits
 * here, in the order it came; how much can wait is the admission's.
 */
import type { CallHead, ConnectHead, RequestHead, SampleHead } from "../link/messages.ts";
import { processFigures } from "../sandbox/process-figures.ts";
import {
  decide,
  type Panic,
  panicWindowMs,
  type ScaleDecision,
  type ScaleView,
  shrinkEveryMs,
  stableWindowMs,
  surplus,
} from "./autoscaler.ts";
import { Balancer } from "./balancer.ts";
import { Demand, sampleMs } from "./demand.ts";
import { afterWork } from "./ejection.ts";
import { Instance, type InstanceEvents, type InstanceOptions, type StrayOutput } from "./instance.ts";
import { type Member, Members } from "./members.ts";
import { beatMs } from "./pulse.ts";
import { type RecycleLimits, wornBy } from "./recycle.ts";
import type { Spares } from "./spares.ts";
import { type Waiting, WaitingCall, WaitingClient, WaitingProgram } from "./waiting-work.ts";
import type { CallHandle, ConnectionHandle, ConnectionSink, ExchangeHandle, ExchangeSink } from "./work.ts";

export interface PoolOptions extends InstanceOptions {
  readonly balance: "least-requests" | "round-robin";
  readonly scale: {
    /** Instances kept, however idle. */
    readonly min: number;
    /** Instances at the most; of an app that has only programs, at most as many as there are processors. */
    readonly max: number;
    /** An instance without work for so long is stopped, in ms. */
    readonly idleMs: number;
  };
  readonly processors: number;
  /** When an instance that serves well is replaced all the same. Default: never. */
  readonly recycle?: RecycleLimits;
  /** Runners that were started ahead, for all the host's apps. Default: none. */
  readonly spares?: Spares;
  /** The configured reply socket path; one instance at a time gets it. */
  readonly sharedReplySocket?: string;
  /** The configured path belongs to this host's revision before, which is about to be retired: take it. */
  readonly takesOverReplySocket: boolean;
}

export interface PoolEvents {
  sample(instance: string, sample: SampleHead): void;
  /** A line that functions wrote outside of any call, or after it. */
  output(instance: string, line: StrayOutput): void;
  /** An instance is over. `expected`: it was asked to stop. */
  stopped(instance: string, reason: string, expected: boolean): void;
}

/** Wait before an instance that died is replaced: doubled for each death in a row, until one has become ready. */
const backOffMs = { first: 100, max: 10_000 } as const;
/** An instance without work is frozen after so long, in ms, or after half of `idle`, whichever is sooner. */
const freezeAfterMs = 10_000;
/** How often memory is looked at, in ms. */
const memoryLookMs = 5_000;

export class Pool {
  readonly #options: PoolOptions;
  readonly #limits: Parameters<typeof decide>[1];
  readonly #events: PoolEvents;
  readonly #balancer: Balancer;
  readonly #demand = new Demand(stableWindowMs, panicWindowMs);
  readonly #callsMax: number;
  readonly #requestsMax: number;
  readonly #members = new Members();
  /** Programs and connections, which any instance may take, and calls, which need room. */
  readonly #waitingOther = new Set<Waiting>();
  readonly #waitingCalls = new Set<Waiting>();
  /** Who owns the configured reply socket. */
  #sharedOwner: Instance | undefined;
  #takesOverReplySocket: boolean;
  #panic: Panic | undefined;
  /** Runs while there is work, and until the windows are empty. */
  #ticker: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  /** Waits for the next instance to become idle for long enough, while nothing ticks. */
  #look: ReturnType<typeof setTimeout> | undefined;
  #deathsInARow = 0;
  #replacement: ReturnType<typeof setTimeout> | undefined;
  #started = false;
  #closing = false;

  constructor(options: PoolOptions, events: PoolEvents) {
    this.#options = options;
    this.#events = events;
    this.#balancer = new Balancer(options.balance);
    this.#takesOverReplySocket = options.takesOverReplySocket;
    const { functions, programs } = options.load;
    this.#callsMax = functions?.callsMax ?? 0;
    this.#requestsMax = options.recycle?.requests ?? Infinity;
    const { processors, scale } = options;
    this.#limits = {
      ...scale,
      max: Math.max(1, scale.min, functions === undefined ? Math.min(scale.max, processors) : scale.max),
      callsMax: this.#callsMax,
      processors,
      programs: Object.keys(programs).length > 0,
    };
  }

  /** Limits that this machine does not let us hold, as sentences. */
  get limitsNotHeld(): readonly string[] {
    return this.#members.all[0]?.instance.limitsNotHeld ?? [];
  }

  /**
   * Starts the first instance, also where none is kept: what is wrong with it is better told now than to a client. Rejects
   * with its reason when it does not come up; nothing is left of it then.
   */
  async start(): Promise<void> {
    const first = this.#add().instance;
    try {
      await first.ready;
      // Closed in the very moment: no clock is started that nobody would stop.
      if (this.#closing) return;
      this.#started = true;
      this.#adjust();
      this.#planLook();
    } catch (error) {
      this.#closing = true;
      clearTimeout(this.#replacement);
      await first.over;
      throw error;
    }
  }

  /** Hands an exchange with a program to an instance, or lets it wait for one. */
  open(request: RequestHead, payload: Uint8Array, sink: ExchangeSink): ExchangeHandle {
    const instance = this.#pick(programLoad);
    if (instance !== undefined) {
      const handle = instance.exchange(request, payload, sink);
      if (this.#members.all.length < this.#limits.max) this.#adjust();
      return handle;
    }
    return this.#wait(new WaitingProgram(request, payload, sink, this.#waitingOther), this.#waitingOther);
  }

  /** Calls a function on an instance that has room, or lets the call wait for one. */
  call(call: CallHead, body: Uint8Array, last: boolean, sink: ExchangeSink): CallHandle {
    const instance = this.#waitingCalls.size > 0 ? undefined : this.#pick(this.#callLoad);
    if (instance !== undefined) return instance.call(call, body, last, sink);
    return this.#wait(new WaitingCall(call, body, last, sink, this.#waitingCalls), this.#waitingCalls);
  }

  /** Hands a listener's client to an instance, or lets it wait for one. */
  connect(connection: ConnectHead, sink: ConnectionSink): ConnectionHandle {
    const instance = this.#pick(connectionLoad);
    if (instance !== undefined) return instance.connect(connection, sink);
    return this.#wait(new WaitingClient(connection, sink, this.#waitingOther), this.#waitingOther);
  }

  /** Lets every instance finish what it has. Resolves when nothing is left. */
  async drain(): Promise<void> {
    this.#close();
    await Promise.all(this.#members.all.map(({ instance }) => instance.drain()));
    this.#stopTicking();
  }

  /** Ends every instance at once. */
  async kill(reason: string): Promise<void> {
    this.#close();
    await Promise.all(this.#members.all.map(({ instance }) => instance.kill(reason)));
    this.#stopTicking();
  }

  readonly #callLoad = (instance: Instance): number =>
    instance.calls < this.#callsMax ? instance.calls + instance.busyConnections + instance.programs : Infinity;

  #pick(loadOf: (instance: Instance) => number): Instance | undefined {
    if (this.#ticker === undefined) this.#startTicking();
    // A frozen one is woken only when no other has room.
    return this.#balancer.pick(this.#members.awake, loadOf) ?? this.#wake(this.#balancer.pick(this.#members.frozen, loadOf));
  }

  #wake(instance: Instance | undefined): Instance | undefined {
    if (instance === undefined) return undefined;
    instance.wake();
    this.#members.sort();
    return instance;
  }

  #wait<Work extends Waiting>(work: Work, queue: Set<Waiting>): Work {
    queue.add(work);
    if (this.#closing) work.refuse("The app is being stopped");
    else this.#adjust();
    return work;
  }

  /** Gives what waits to whoever has room. */
  #serveWaiting(): void {
    for (const waiting of this.#waitingOther) {
      const instance = this.#pick(programLoad);
      if (instance === undefined) break;
      waiting.goTo(instance);
    }
    for (const waiting of this.#waitingCalls) {
      const instance = this.#pick(this.#callLoad);
      if (instance === undefined) break;
      waiting.goTo(instance);
    }
  }

  #refuseWaiting(detail: string, advice?: string): void {
    for (const waiting of [...this.#waitingOther, ...this.#waitingCalls]) waiting.refuse(detail, advice);
  }

  #close(): void {
    this.#closing = true;
    clearTimeout(this.#replacement);
    clearTimeout(this.#look);
    this.#refuseWaiting("The app is being stopped");
  }

  #view(shrink: boolean): ScaleView {
    const { stable, panic } = this.#demand;
    return {
      ...this.#members.counts(),
      waitingCalls: this.#waitingCalls.size,
      waitingOther: this.#waitingOther.size,
      stable,
      panic,
      // Only what shrinks asks for it: it is looked for in all samples.
      peak: shrink ? this.#demand.peak : 0,
      nowMs: performance.now(),
    };
  }

  /** Starts and wakes what `decide` says; starts nothing while the last ones died. @param shrink whether it may also stop some. */
  #adjust(shrink = false): void {
    if (this.#closing) return;
    const view = this.#view(shrink);
    const decision = decide(view, this.#limits, this.#panic);
    this.#panic = decision.panic;
    this.#wakeFor(decision.want);
    if (shrink) this.#shrink(view, decision);
    // While the configured reply socket's owner leaves nobody else can have it: the next one starts when it is gone.
    if (this.#members.all.some(({ instance, leaving }) => leaving !== undefined && instance === this.#sharedOwner)) return;
    // Those that do not answer have a place of their own each, so that there is always an end.
    const room = 2 * this.#limits.max - this.#members.all.length;
    const start = Math.min(decision.want - view.ready - view.starting, room);
    for (let number = 0; number < start && this.#replacement === undefined; number++) this.#grow();
  }

  #wakeFor(want: number): void {
    const { awake, frozen } = this.#members;
    const missing = want - awake.length;
    // While nothing runs the windows still ask for some: they may sleep.
    if (missing <= 0 || frozen.length === 0 || this.#demandNow() === 0) return;
    for (const instance of frozen.slice(0, missing)) instance.wake();
    this.#members.sort();
    this.#serveWaiting();
  }

  #shrink(view: ScaleView, decision: ScaleDecision): void {
    let left = surplus(view, this.#limits, decision);
    for (const member of this.#members.byIdleness()) {
      if (left-- <= 0) return;
      this.#dismiss(member, undefined);
    }
  }

  #dismiss(member: Member, why: string | undefined): void {
    const { instance } = member;
    // The owner of the configured reply socket leaves last: programs of the others may reply there.
    if (instance === this.#sharedOwner && this.#members.all.some((other) => other !== member && other.leaving === undefined)) return;
    member.leaving = { why };
    this.#members.sort();
    void instance.drain();
  }

  #grow(): Member | undefined {
    try {
      return this.#add();
    } catch (error) {
      // No process or descriptor is left, or no room for its folder: as if it had died at once.
      this.#replace(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #add(): Member {
    const shared = this.#sharedOwner === undefined ? this.#options.sharedReplySocket : undefined;
    const load = {
      ...this.#options.load,
      ...(shared === undefined ? {} : { sharedReplySocket: shared, takesOverReplySocket: this.#takesOverReplySocket }),
    };
    const events: InstanceEvents = {
      sample: (sample) => this.#events.sample(instance.id, sample),
      output: (line) => this.#events.output(instance.id, line),
      changed: () => this.#changed(member),
      freed: (sound) => this.#freed(member, sound),
      abandoned: (calls) => {
        if (calls > this.#callsMax) this.#recycle(member, `${calls} calls that were given up go on in it`);
      },
      stopped: (reason) => this.#stopped(member, reason),
    };
    // A spare may be where memory will be limited: programs' runners are not, and programs take longer than their runner.
    const spare = this.#options.load.functions === undefined ? undefined : this.#options.spares?.take();
    const instance: Instance = new Instance({ ...this.#options, load }, events, spare);
    const member = this.#members.add(instance);
    if (shared !== undefined) this.#sharedOwner = instance;
    return member;
  }

  #changed(member: Member): void {
    this.#members.sort();
    const { state } = member.instance;
    if (state === "ready" && !member.served) this.#joined(member);
    this.#serveWaiting();
    if (state === "unresponsive") this.#adjust();
  }

  /** An instance has become ready. */
  #joined(member: Member): void {
    member.served = true;
    this.#deathsInARow = 0;
    // From here the path is this pool's own: nobody else's is ever taken.
    this.#takesOverReplySocket = false;
    for (const old of this.#members.all) if (old.successor?.member === member) this.#dismiss(old, old.successor.why);
    this.#planLook();
  }

  #freed(member: Member, sound: boolean): void {
    const ejection = afterWork(member.ejection, sound, sound ? 0 : performance.now());
    if (ejection !== member.ejection) {
      member.ejection = ejection;
      this.#members.sort();
    }
    if (this.#waitingCalls.size > 0) this.#serveWaiting();
    if (member.instance.served >= this.#requestsMax) this.#recycleWhenWorn(member, undefined);
  }

  /** Replaces an instance that lives: the new one is started first, and the old one leaves when that is ready. */
  #recycle(member: Member, why: string): void {
    if (this.#closing || member.leaving !== undefined || member.successor !== undefined || this.#replacement !== undefined) return;
    const spare = member.instance.open === 0 && this.#members.staying > Math.max(1, this.#limits.min);
    // Of the configured reply socket there is one: its next owner starts when this one is gone.
    if (spare || member.instance === this.#sharedOwner) return this.#dismiss(member, `recycled: ${why}`);
    const successor = this.#grow();
    if (successor !== undefined) member.successor = { member: successor, why: `recycled: ${why}` };
  }

  #recycleWorn(): void {
    const { recycle } = this.#options;
    if (recycle === undefined) return;
    const weigh = recycle.memoryBytes !== undefined && this.#ticks % (memoryLookMs / sampleMs) === 0;
    // Replacing one adds another.
    for (const member of [...this.#members.all]) {
      this.#recycleWhenWorn(member, weigh ? processFigures(member.instance.pid)?.residentBytes : undefined);
    }
  }

  #recycleWhenWorn(member: Member, memoryBytes: number | undefined): void {
    if (!member.served || member.leaving !== undefined || member.successor !== undefined) return;
    const { served, startedMs } = member.instance;
    const why = wornBy({ ageMs: performance.now() - startedMs, requests: served, memoryBytes }, this.#options.recycle ?? {});
    if (why !== undefined) this.#recycle(member, why);
  }

  #stopped(member: Member, reason: string): void {
    this.#members.remove(member);
    const expected = member.leaving !== undefined || this.#closing;
    this.#events.stopped(member.instance.id, expected ? (member.leaving?.why ?? reason) : reason, expected);
    if (this.#sharedOwner === member.instance) this.#sharedOwner = undefined;
    if (!expected) this.#replace(reason);
    // What came while it left waits for another.
    else this.#adjust();
  }

  /** An instance is gone: another takes its place, after a while when none comes up. */
  #replace(reason: string): void {
    const wait = Math.min(backOffMs.max, backOffMs.first * 2 ** this.#deathsInARow++);
    if (this.#deathsInARow > 1 && this.#members.awake.length + this.#members.frozen.length === 0) {
      this.#refuseWaiting("No instance of the app comes up", reason);
    }
    this.#replacement ??= setTimeout(
      () => {
        this.#replacement = undefined;
        if (this.#closing) return;
        const orphaned = this.#options.sharedReplySocket !== undefined && this.#sharedOwner === undefined;
        if (this.#members.all.length === 0 || orphaned) this.#grow();
        else this.#adjust();
      },
      this.#deathsInARow === 1 ? 0 : wait,
    );
  }

  #startTicking(): void {
    if (this.#closing) return;
    clearTimeout(this.#look);
    this.#look = undefined;
    this.#ticks = 0;
    this.#ticker = setInterval(() => this.#tick(), sampleMs);
  }

  #stopTicking(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #tick(): void {
    this.#ticks++;
    if (this.#ticks % (beatMs / sampleMs) === 0) for (const { instance } of this.#members.all) if (instance.watched) instance.beat();
    if (this.#closing) return;
    if (this.#members.ejected) this.#members.sort();
    this.#demand.sample(this.#demandNow());
    this.#adjust(this.#ticks % (shrinkEveryMs / sampleMs) === 0);
    this.#recycleWorn();
    this.#lookForIdle();
    if (!this.#quiet()) return;
    this.#stopTicking();
    this.#demand.clear();
    this.#panic = undefined;
    this.#planLook();
  }

  /** Nobody has work, or had any in the long window: nothing has to tick. */
  #quiet(): boolean {
    const waiting = this.#waitingOther.size + this.#waitingCalls.size > 0;
    return !waiting && this.#demand.none && this.#members.all.every(({ instance }) => !instance.watched);
  }

  #demandNow(): number {
    return this.#callsMax === 0 ? 0 : this.#waitingCalls.size + this.#members.functionsBusy();
  }

  /** Stops what has been idle for long enough, and freezes what has been for a while. */
  #lookForIdle(): void {
    if (!this.#started) return;
    const { idleMs, min } = this.#limits;
    let kept = this.#members.staying;
    for (const member of this.#members.byIdleness()) {
      if (kept <= min) return;
      const { instance } = member;
      kept--;
      if (instance.idleMs >= idleMs) this.#dismiss(member, undefined);
      else if (this.#mayFreeze && instance.idleMs >= this.#freezeAfterMs && instance.freeze()) this.#members.sort();
    }
  }

  get #freezeAfterMs(): number {
    return Math.min(freezeAfterMs, this.#limits.idleMs / 2);
  }

  /** The reply socket of an instance with programs answers at all times: it must not be stopped in place. */
  get #mayFreeze(): boolean {
    return !this.#limits.programs;
  }

  /** Looks again when the next instance is due. */
  #planLook(): void {
    if (this.#closing || this.#ticker !== undefined) return;
    clearTimeout(this.#look);
    this.#look = undefined;
    const { idleMs, min } = this.#limits;
    const idle = this.#members.byIdleness();
    if (this.#members.staying <= min) return;
    let due = Infinity;
    for (const { instance } of idle) {
      const freezes = this.#mayFreeze && instance.state === "ready";
      due = Math.min(due, (freezes ? this.#freezeAfterMs : idleMs) - instance.idleMs);
    }
    if (due === Infinity) return;
    this.#look = setTimeout(
      () => {
        this.#lookForIdle();
        this.#planLook();
      },
      Math.max(1, Math.ceil(due)),
    );
  }
}

function programLoad(instance: Instance): number {
  return instance.programs + instance.calls;
}

function connectionLoad(instance: Instance): number {
  return instance.connections;
}
