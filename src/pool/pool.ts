/**
 * The instances of an app's revision: picks one for each exchange, call, connection and request to a daemon, and has as many as
 * there is work for. Work that comes while none has room waits here, in the order it came; how much can wait is the admission's.
 */
import type { CallHead, ConnectHead, RequestHead } from "../link/messages.ts";
import type { InstanceSample } from "../telemetry/instance-sample.ts";
import {
  decide,
  type Panic,
  panicWindowMs,
  type ScaleLimits,
  type ScaleView,
  shrinkEveryMs,
  stableWindowMs,
  surplus,
} from "./autoscaler.ts";
import { Balancer } from "./balancer.ts";
import { Demand, sampleMs } from "./demand.ts";
import { Fleet, type FleetOptions, type FleetReports } from "./fleet.ts";
import type { Instance } from "./instance.ts";
import { Place } from "./place.ts";
import { beatMs } from "./pulse.ts";
import { type Waiting, WaitingCall, WaitingClient, WaitingProgram } from "./waiting-work.ts";
import type { CallHandle, ConnectionHandle, ConnectionSink, ExchangeHandle, ExchangeSink, PlaceHandle, PlaceSink } from "./work.ts";

export interface PoolOptions extends Omit<FleetOptions, "min" | "idleMs"> {
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
  /** Requests that each instance's daemon has at once. Default: 0, of an app without one. */
  readonly servicePlacesMax?: number;
}

export type PoolEvents = FleetReports;
/** What instances are told of the app's daemon. */
export type PoolService = NonNullable<PoolOptions["load"]["service"]>;

/** How often memory is looked at, in ms. */
const memoryLookMs = 5_000;
/** How soon what could not be settled is looked at again, in ms. */
const settleAgainMs = 50;
/**
 * How long a request that an instance has just failed waits for another, in ms, when there is no other: until then an instance that
 * is dead is known to be.
 */
const elsewhereMs = 250;
const anyInstance: readonly string[] = [];

export class Pool {
  readonly #limits: ScaleLimits;
  readonly #fleet: Fleet;
  readonly #balancer: Balancer<Instance>;
  /** Of places alone: what else goes to an instance does not change whose turn it is. */
  readonly #placeBalancer: Balancer<Instance>;
  readonly #placesMax: number;
  readonly #demand = new Demand(stableWindowMs, panicWindowMs);
  /** Programs and connections, which any instance may take, and calls, which need room. */
  readonly #waitingOther = new Set<Waiting>();
  readonly #waitingCalls = new Set<Waiting>();
  readonly #waitingPlaces = new Set<Place>();
  /** Places that wait for another instance than the one that has failed them. */
  readonly #waitingElsewhere = new Set<Place>();
  #panic: Panic | undefined;
  /** Runs while there is work, and until the windows are empty. */
  #ticker: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  /** Waits for the next instance to be idle for long enough, while nothing ticks. */
  #settling: ReturnType<typeof setTimeout> | undefined;
  #started = false;
  #closing = false;

  constructor(options: PoolOptions, events: PoolEvents) {
    const { load, processors, scale, servicePlacesMax = 0 } = options;
    const onlyPrograms = load.functions === undefined && load.service === undefined;
    this.#placesMax = servicePlacesMax;
    this.#limits = {
      ...scale,
      max: Math.max(1, scale.min, onlyPrograms ? Math.min(scale.max, processors) : scale.max),
      callsMax: load.functions?.callsMax ?? servicePlacesMax,
      processors,
      programs: Object.keys(load.programs).length > 0,
    };
    this.#balancer = new Balancer(options.balance);
    this.#placeBalancer = new Balancer(options.balance);
    this.#fleet = new Fleet({ ...options, min: scale.min, idleMs: scale.idleMs }, events, {
      room: () => this.#serveWaiting(),
      fewer: () => this.#adjust(),
      joined: () => this.#settleLater(),
      none: (reason) => this.#refuseWaiting("No instance of the app comes up", reason),
    });
  }

  /** Limits that this machine does not let us hold, as sentences. */
  get limitsNotHeld(): readonly string[] {
    return this.#fleet.members.all[0]?.instance.limitsNotHeld ?? [];
  }

  /** What its instances are and use now. */
  instances(): InstanceSample[] {
    return this.#fleet.members.all.map(({ instance }) => instance.sample());
  }

  /** Whether a call's function is a Fetch handler. To be asked when the first instance has started. */
  isFetch(call: number): boolean {
    return this.#fleet.fetches.has(call);
  }

  /**
   * Starts the first instance, also where none is kept: what is wrong with it is better told now than to a client. Rejects
   * with its reason when it does not come up; nothing is left of it then.
   */
  async start(): Promise<void> {
    try {
      await this.#fleet.start();
    } catch (error) {
      this.#closing = true;
      throw error;
    }
    // Closed in the very moment: no clock is started that nobody would stop.
    if (this.#closing) return;
    this.#started = true;
    this.#adjust();
    this.#settleLater();
    // Daemons are there in the number that is kept before the first request, so that each has its turn from the start.
    if (this.#placesMax > 0) await this.#fleet.settled();
  }

  /** Hands an exchange with a program to an instance, or lets it wait for one. */
  open(request: RequestHead, payload: Uint8Array, sink: ExchangeSink): ExchangeHandle {
    const instance = this.#pick(programLoad);
    if (instance === undefined) return this.#wait(new WaitingProgram(request, payload, sink, this.#waitingOther), this.#waitingOther);
    const handle = instance.exchange(request, payload, sink);
    if (this.#fleet.members.all.length < this.#limits.max) this.#adjust();
    return handle;
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

  /** Finds a request a place at a daemon, or lets it wait for one. @param avoid instances that have just failed it. */
  place(sink: PlaceSink, avoid: readonly string[] = anyInstance): PlaceHandle {
    const place = new Place(sink, avoid);
    const instance = this.#waitingPlaces.size > 0 ? undefined : this.#pickForPlace(avoid);
    if (instance !== undefined) instance.hold(place);
    else this.#waitForPlace(place);
    return place;
  }

  /** Lets every instance finish what it has. Resolves when nothing is left. */
  async drain(): Promise<void> {
    this.#close();
    await this.#fleet.drain();
    this.#stopTicking();
  }

  /** Ends every instance at once. */
  async kill(reason: string): Promise<void> {
    this.#close();
    await this.#fleet.kill(reason);
    this.#stopTicking();
  }

  readonly #callLoad = (instance: Instance): number =>
    instance.calls < this.#limits.callsMax ? instance.calls + instance.busyConnections + instance.programs : Infinity;

  readonly #placeLoad = (instance: Instance): number => (instance.places < this.#placesMax ? instance.places : Infinity);

  #pickForPlace(avoid: readonly string[]): Instance | undefined {
    if (this.#ticker === undefined) this.#startTicking();
    const { awake } = this.#fleet.members;
    if (avoid.length === 0) return this.#placeBalancer.pick(awake, this.#placeLoad);
    return this.#placeBalancer.pick(awake, (instance) => (avoid.includes(instance.id) ? Infinity : this.#placeLoad(instance)));
  }

  #waitForPlace(place: Place): void {
    if (this.#closing) return place.refuse("The app is being stopped");
    if (place.avoid.length === 0) return this.#queuePlace(place);
    place.waitIn(this.#waitingElsewhere);
    setTimeout(() => {
      if (place.waits) this.#queuePlace(place);
    }, elsewhereMs);
  }

  #queuePlace(place: Place): void {
    place.waitIn(this.#waitingPlaces);
    this.#serve(this.#waitingPlaces, () => this.#pickForPlace(anyInstance));
    if (place.waits) this.#adjust();
  }

  #pick(loadOf: (instance: Instance) => number): Instance | undefined {
    if (this.#ticker === undefined) this.#startTicking();
    const { members } = this.#fleet;
    const awake = this.#balancer.pick(members.awake, loadOf);
    // A frozen one is woken only when no other has room.
    if (awake !== undefined || members.frozen.length === 0) return awake;
    const frozen = this.#balancer.pick(members.frozen, loadOf);
    frozen?.wake();
    members.sort();
    return frozen;
  }

  #wait<Work extends Waiting>(work: Work, queue: Set<Waiting>): Work {
    queue.add(work);
    if (this.#closing) work.refuse("The app is being stopped");
    else this.#adjust();
    return work;
  }

  /** Gives what waits to whoever has room. */
  #serveWaiting(): void {
    if (this.#waitingOther.size > 0) this.#serve(this.#waitingOther, () => this.#pick(programLoad));
    if (this.#waitingCalls.size > 0) this.#serve(this.#waitingCalls, () => this.#pick(this.#callLoad));
    if (this.#waitingElsewhere.size > 0) this.#serveElsewhere();
    if (this.#waitingPlaces.size > 0) this.#serve(this.#waitingPlaces, () => this.#pickForPlace(anyInstance));
  }

  #serve<Work extends Waiting>(queue: ReadonlySet<Work>, pick: (work: Work) => Instance | undefined): void {
    for (const waiting of queue) {
      const instance = pick(waiting);
      if (instance === undefined) return;
      waiting.goTo(instance);
    }
  }

  /** Each waits for another instance: one that finds none yet says nothing of the next. */
  #serveElsewhere(): void {
    for (const place of this.#waitingElsewhere) {
      const instance = this.#pickForPlace(place.avoid);
      if (instance !== undefined) place.goTo(instance);
    }
  }

  #refuseWaiting(detail: string, advice?: string): void {
    const all = [...this.#waitingOther, ...this.#waitingCalls, ...this.#waitingElsewhere, ...this.#waitingPlaces];
    for (const waiting of all) waiting.refuse(detail, advice);
  }

  #close(): void {
    this.#closing = true;
    this.#fleet.close();
    clearTimeout(this.#settling);
    this.#refuseWaiting("The app is being stopped");
  }

  #view(shrink: boolean): ScaleView {
    const { stable, panic } = this.#demand;
    return {
      ...this.#fleet.members.counts(),
      waitingCalls: this.#waitingCalls.size + this.#waitingPlaces.size,
      waitingOther: this.#waitingOther.size,
      stable,
      panic,
      // Only what shrinks asks for it: it is looked for in all samples.
      peak: shrink ? this.#demand.peak : 0,
      calls: this.#demandNow(),
      nowMs: performance.now(),
    };
  }

  /** Does what `decide` says. @param shrink whether it may also stop some. @returns how many instances it wants. */
  #adjust(shrink = false): number {
    if (this.#closing) return 0;
    const view = this.#view(shrink);
    const decision = decide(view, this.#limits, this.#panic);
    this.#panic = decision.panic;
    this.#wakeFor(decision.want);
    if (shrink) this.#fleet.shrink(surplus(view, this.#limits, decision));
    // Those that do not answer have a place of their own each, so that there is always an end.
    const room = 2 * this.#limits.max - this.#fleet.members.all.length;
    this.#fleet.grow(Math.min(decision.want - view.ready - view.starting, room));
    return decision.want;
  }

  #wakeFor(want: number): void {
    const { members } = this.#fleet;
    const missing = want - members.awake.length;
    // While nothing runs the windows still ask for some: they may sleep.
    if (missing <= 0 || members.frozen.length === 0 || this.#demandNow() === 0) return;
    for (const instance of members.frozen.slice(0, missing)) instance.wake();
    members.sort();
    this.#serveWaiting();
  }

  #startTicking(): void {
    if (this.#closing) return;
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#ticks = 0;
    this.#ticker = setInterval(() => this.#tick(), sampleMs);
  }

  #stopTicking(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #tick(): void {
    const tick = ++this.#ticks;
    if (tick % (beatMs / sampleMs) === 0) this.#fleet.beat();
    if (this.#closing) return;
    if (this.#fleet.members.ejected) this.#fleet.members.sort();
    this.#demand.sample(this.#demandNow());
    const want = this.#adjust(tick % (shrinkEveryMs / sampleMs) === 0);
    this.#fleet.recycleWorn(tick % (memoryLookMs / sampleMs) === 0);
    // While there is work, who is there for headroom would be asked for again at once.
    if (this.#started) this.#fleet.settle(this.#demand.panic > 0 ? want : 0);
    if (this.#quiet()) this.#rest();
  }

  #rest(): void {
    this.#stopTicking();
    this.#demand.clear();
    this.#panic = undefined;
    this.#settleLater();
  }

  /** Nobody has work, or had any in the long window: nothing has to tick. */
  #quiet(): boolean {
    const waiting = this.#waitingOther.size + this.#waitingCalls.size + this.#waitingElsewhere.size + this.#waitingPlaces.size;
    return waiting === 0 && this.#demand.none && this.#fleet.members.all.every(({ instance }) => !instance.watched);
  }

  #demandNow(): number {
    const waiting = this.#waitingCalls.size + this.#waitingPlaces.size;
    return this.#limits.callsMax === 0 ? 0 : waiting + this.#fleet.members.callsBusy();
  }

  /** Lets idle instances sleep or leave when they are due, while nothing ticks. */
  #settleLater(): void {
    if (this.#closing || !this.#started || this.#ticker !== undefined) return;
    clearTimeout(this.#settling);
    const due = this.#fleet.settlesInMs;
    if (due === undefined) return;
    // One that was due and is still there has to answer first.
    this.#settling = setTimeout(() => this.#settle(), due > 0 ? Math.ceil(due) : settleAgainMs);
  }

  #settle(): void {
    this.#fleet.settle();
    this.#settleLater();
  }
}

function programLoad(instance: Instance): number {
  return instance.programs + instance.calls;
}

function connectionLoad(instance: Instance): number {
  return instance.connections;
}
