/**
 * The instances of an app's revision: picks one for each exchange, starts more while there is work for them, stops those that
 * are idle, replaces one that dies. Exchanges that come while none is ready wait here for the first; how many can wait is the admission's.
 */
import type { RequestHead, SampleHead } from "../link/messages.ts";
import { type ExchangeHandle, type ExchangeSink, Instance, type InstanceOptions } from "./instance.ts";
import { pick } from "./balancer.ts";
import { decide, type ScaleLimits } from "./scale.ts";

export interface PoolOptions extends InstanceOptions {
  readonly balance: "least-requests" | "round-robin";
  readonly scale: ScaleLimits;
  /** The configured reply socket path; one instance at a time gets it. */
  readonly sharedReplySocket?: string;
  /** The configured path belongs to this host's revision before, which is about to be retired: take it. */
  readonly takesOverReplySocket: boolean;
}

export interface PoolEvents {
  sample(instance: string, sample: SampleHead): void;
  /** An instance is over. `expected`: it was asked to stop. */
  stopped(instance: string, reason: string, expected: boolean): void;
}

/** Idle instances are looked for so often: four times in `idle`, within these bounds. */
const lookMs = { min: 50, max: 10_000 } as const;
/** Wait before an instance that died is replaced: doubled for each death in a row, until one has become ready. */
const backOffMs = { first: 100, max: 10_000 } as const;

export class Pool {
  readonly #options: PoolOptions;
  readonly #events: PoolEvents;
  readonly #instances: Instance[] = [];
  /** Those of them that were asked to stop because they are idle. */
  readonly #leaving = new Set<Instance>();
  readonly #waiting = new Set<WaitingExchange>();
  /** Who owns the configured reply socket. */
  #sharedOwner: Instance | undefined;
  #takesOverReplySocket: boolean;
  #idleTimer: ReturnType<typeof setInterval> | undefined;
  #turn = 0;
  #deathsInARow = 0;
  #replacement: ReturnType<typeof setTimeout> | undefined;
  #closing = false;

  constructor(options: PoolOptions, events: PoolEvents) {
    this.#options = options;
    this.#events = events;
    this.#takesOverReplySocket = options.takesOverReplySocket;
  }

  /** Limits that this machine does not let us hold, as sentences. */
  get limitsNotHeld(): readonly string[] {
    return this.#instances[0]?.limitsNotHeld ?? [];
  }

  /**
   * Starts the first instance, also where none is kept: what is wrong with it is better told now than to a client. Rejects
   * with its reason when it does not come up; nothing is left of it then.
   */
  async start(): Promise<void> {
    const first = this.#add();
    try {
      await first.ready;
      // Closed in the very moment: no clock is started that nobody would stop.
      if (this.#closing) return;
      const { idleMs } = this.#options.scale;
      this.#idleTimer = setInterval(() => this.#adjust(), Math.min(lookMs.max, Math.max(lookMs.min, idleMs / 4)));
      this.#adjust();
    } catch (error) {
      this.#closing = true;
      clearTimeout(this.#replacement);
      await first.over;
      throw error;
    }
  }

  /** Hands an exchange to an instance, or lets it wait for one. */
  open(request: RequestHead, payload: Uint8Array, sink: ExchangeSink): ExchangeHandle {
    const instance = pick(this.#ready, this.#options.balance, this.#turn++);
    if (instance !== undefined) {
      const handle = instance.exchange(request, payload, sink);
      if (this.#instances.length < this.#options.scale.max) this.#adjust();
      return handle;
    }
    const waiting = new WaitingExchange(request, payload, sink, this.#waiting);
    if (this.#closing) waiting.fail("The app is being stopped");
    else {
      this.#waiting.add(waiting);
      this.#adjust();
    }
    return waiting;
  }

  /** Lets every instance finish what it has. Resolves when nothing is left. */
  async drain(): Promise<void> {
    this.#close();
    await Promise.all(this.#instances.map((instance) => instance.drain()));
  }

  /** Ends every instance at once. */
  async kill(reason: string): Promise<void> {
    this.#close();
    await Promise.all(this.#instances.map((instance) => instance.kill(reason)));
  }

  get #ready(): readonly Instance[] {
    return this.#instances.filter((instance) => instance.state === "ready");
  }

  #close(): void {
    this.#closing = true;
    clearTimeout(this.#replacement);
    clearInterval(this.#idleTimer);
    for (const waiting of this.#waiting) waiting.fail("The app is being stopped");
  }

  /** Starts and stops what `decide` says; starts nothing while the last ones died. */
  #adjust(): void {
    if (this.#closing) return;
    const ready = this.#ready;
    // One that died is still being cleaned up: its place is not free yet.
    const starting = this.#instances.length - this.#leaving.size - ready.length;
    const { start, stop } = decide({ ready, starting, waiting: this.#waiting.size }, this.#options.scale);
    for (const instance of stop) {
      // The owner of the configured reply socket leaves last: programs of the others may reply there.
      if (instance === this.#sharedOwner && this.#instances.length - this.#leaving.size > 1) continue;
      this.#leaving.add(instance);
      void instance.drain();
    }
    // While the configured reply socket's owner leaves nobody else can have it: the next one starts when it is gone.
    if (this.#sharedOwner !== undefined && this.#leaving.has(this.#sharedOwner)) return;
    for (let number = 0; number < start && this.#replacement === undefined; number++) this.#grow();
  }

  #grow(): void {
    try {
      this.#add();
    } catch (error) {
      // No process or descriptor is left, or no room for its folder: as if it had died at once.
      this.#replace(error instanceof Error ? error.message : String(error));
    }
  }

  #add(): Instance {
    const shared = this.#sharedOwner === undefined ? this.#options.sharedReplySocket : undefined;
    const load = {
      ...this.#options.load,
      ...(shared === undefined ? {} : { sharedReplySocket: shared, takesOverReplySocket: this.#takesOverReplySocket }),
    };
    const instance: Instance = new Instance(
      { ...this.#options, load },
      {
        sample: (sample) => this.#events.sample(instance.id, sample),
        stopped: (reason) => this.#stopped(instance, reason),
      },
    );
    this.#instances.push(instance);
    if (shared !== undefined) this.#sharedOwner = instance;
    instance.ready.then(
      () => {
        this.#deathsInARow = 0;
        // From here the path is this pool's own: nobody else's is ever taken.
        this.#takesOverReplySocket = false;
        this.#serveWaiting();
      },
      () => {},
    );
    return instance;
  }

  #serveWaiting(): void {
    for (const waiting of this.#waiting) {
      const instance = pick(this.#ready, this.#options.balance, this.#turn++);
      if (instance === undefined) return;
      waiting.goTo(instance);
    }
  }

  #stopped(instance: Instance, reason: string): void {
    this.#instances.splice(this.#instances.indexOf(instance), 1);
    const expected = this.#leaving.delete(instance) || this.#closing;
    this.#events.stopped(instance.id, reason, expected);
    if (this.#sharedOwner === instance) this.#sharedOwner = undefined;
    if (!expected) this.#replace(reason);
    // What came while it left waits for another.
    else this.#adjust();
  }

  /** An instance is gone: another takes its place, after a while when none comes up. */
  #replace(reason: string): void {
    const wait = Math.min(backOffMs.max, backOffMs.first * 2 ** this.#deathsInARow++);
    if (this.#deathsInARow > 1 && this.#ready.length === 0) {
      for (const waiting of this.#waiting) waiting.fail("No instance of the app comes up", reason);
    }
    this.#replacement ??= setTimeout(
      () => {
        this.#replacement = undefined;
        if (this.#closing) return;
        const orphaned = this.#options.sharedReplySocket !== undefined && this.#sharedOwner === undefined;
        if (this.#instances.length === 0 || orphaned) this.#grow();
        else this.#adjust();
      },
      this.#deathsInARow === 1 ? 0 : wait,
    );
  }
}

/** An exchange that no instance has taken yet. It can be reset like any other. */
class WaitingExchange implements ExchangeHandle {
  readonly #request: RequestHead;
  readonly #sink: ExchangeSink;
  readonly #queue: Set<WaitingExchange>;
  #payload: Uint8Array;
  #handle: ExchangeHandle | undefined;

  constructor(request: RequestHead, payload: Uint8Array, sink: ExchangeSink, queue: Set<WaitingExchange>) {
    this.#request = request;
    this.#payload = payload;
    this.#sink = sink;
    this.#queue = queue;
  }

  goTo(instance: Instance): void {
    this.#queue.delete(this);
    this.#handle = instance.exchange(this.#request, this.#payload, this.#sink);
    this.#payload = new Uint8Array(0);
  }

  fail(detail: string, advice?: string): void {
    this.#queue.delete(this);
    this.#sink.failed("no-instance", detail, advice);
    this.#sink.ended(undefined);
  }

  consumed(bytes: number): void {
    this.#handle?.consumed(bytes);
  }

  verdict(status: 200 | 422, reasons?: Uint8Array): void {
    this.#handle?.verdict(status, reasons);
  }

  reset(reason: "deadline" | "client-left" | "shutdown" | "reply-refused"): void {
    if (this.#handle !== undefined) this.#handle.reset(reason);
    else if (this.#queue.delete(this)) this.#sink.ended(undefined);
  }
}
