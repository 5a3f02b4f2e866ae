/**
 * The instances of an app's revision: picks one for each exchange, starts more while there is work for them, replaces one
 * that dies. Exchanges that come while none is ready wait here for the first; how many can wait is the admission's.
 */
import type { RequestHead, SampleHead } from "../link/messages.ts";
import { type ExchangeHandle, type ExchangeSink, Instance, type InstanceOptions } from "./instance.ts";
import { pick } from "./balancer.ts";

export interface PoolOptions extends InstanceOptions {
  readonly balance: "least-requests" | "round-robin";
  /** Instances at the most. */
  readonly instancesMax: number;
  /** The configured reply socket path; the pool's first instance gets it. */
  readonly sharedReplySocket?: string;
  /** The configured path belongs to this host's revision before, which is about to be retired: take it. */
  readonly takesOverReplySocket: boolean;
}

export interface PoolEvents {
  sample(instance: string, sample: SampleHead): void;
  /** An instance is over. `expected`: it was asked to stop. */
  stopped(instance: string, reason: string, expected: boolean): void;
}

/** An instance is added when the least busy one has so many exchanges open: a single one is not worth a process. */
const busyExchanges = 2;
/** Wait before an instance that died is replaced: doubled for each death in a row, until one has become ready. */
const backOffMs = { first: 100, max: 10_000 } as const;

export class Pool {
  readonly #options: PoolOptions;
  readonly #events: PoolEvents;
  readonly #instances: Instance[] = [];
  readonly #waiting = new Set<WaitingExchange>();
  /** Who owns the configured reply socket. */
  #sharedOwner: Instance | undefined;
  #turn = 0;
  #deathsInARow = 0;
  #replacement: ReturnType<typeof setTimeout> | undefined;
  #closing = false;

  constructor(options: PoolOptions, events: PoolEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Limits that this machine does not let us hold, as sentences. */
  get limitsNotHeld(): readonly string[] {
    return this.#instances[0]?.limitsNotHeld ?? [];
  }

  /** Starts the first instance. Rejects with its reason when it does not come up; nothing is left of it then. */
  async start(): Promise<void> {
    const first = this.#add();
    try {
      await first.ready;
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
      if (instance.open >= busyExchanges) this.#grow();
      return instance.exchange(request, payload, sink);
    }
    const waiting = new WaitingExchange(request, payload, sink, this.#waiting);
    if (this.#closing) waiting.fail("The app is being stopped");
    else {
      this.#waiting.add(waiting);
      this.#grow();
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
    for (const waiting of this.#waiting) waiting.fail("The app is being stopped");
  }

  /** Starts one more, unless there are enough, one is on its way, or the last ones died. */
  #grow(): void {
    if (this.#closing || this.#replacement !== undefined || this.#instances.length >= this.#options.instancesMax) return;
    if (this.#instances.some((instance) => instance.state === "starting")) return;
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
      ...(shared === undefined ? {} : { sharedReplySocket: shared, takesOverReplySocket: this.#options.takesOverReplySocket }),
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
    this.#events.stopped(instance.id, reason, this.#closing);
    if (this.#sharedOwner === instance) this.#sharedOwner = undefined;
    if (!this.#closing) this.#replace(reason);
  }

  /** An instance is gone: another takes its place, after a while when none comes up. */
  #replace(reason: string): void {
    const wait = Math.min(backOffMs.max, backOffMs.first * 2 ** this.#deathsInARow++);
    if (this.#deathsInARow > 1 && this.#ready.length === 0) {
      for (const waiting of this.#waiting) waiting.fail(`No instance of the app comes up: ${reason}`);
    }
    this.#replacement ??= setTimeout(
      () => {
        this.#replacement = undefined;
        const orphaned = this.#options.sharedReplySocket !== undefined && this.#sharedOwner === undefined;
        if (this.#instances.length === 0 || orphaned) this.#grow();
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

  fail(detail: string): void {
    this.#queue.delete(this);
    this.#sink.failed("no-instance", detail);
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
