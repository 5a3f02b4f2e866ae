/**
 * Connections to daemons that wait for their next request, by instance, and are closed with it. The one that was used last is taken
 * first: under little load the others grow old and are closed.
 */
import type { Upstream } from "./dispatch.ts";
import { UpstreamConnection, type UpstreamKeeper, type UpstreamUser } from "./upstream-connection.ts";
import { openWire } from "./upstream-wire.ts";

export interface UpstreamLimits {
  /** Connections that wait, of an instance. */
  readonly idleMax: number;
  /** How long one waits at the most, in ms; the daemon's own `Keep-Alive: timeout` may be shorter. */
  readonly idleMs: number;
  /** How often it is looked whether one has waited for too long, in ms. */
  readonly sweepMs: number;
}

export const upstreamLimits: UpstreamLimits = { idleMax: 1024, idleMs: 30_000, sweepMs: 1_000 };

/** A request that must not be sent twice takes no connection that waited longer, in ms: the daemon may be about to close it. */
const freshMs = 1_000;

export class UpstreamConnections {
  readonly #pools = new WeakMap<Upstream, UpstreamPool>();
  /** Those that have connections that wait. */
  readonly #waiting = new Set<UpstreamPool>();
  readonly #clock: Clock;
  readonly #now: () => number;
  #sweeper: ReturnType<typeof setInterval> | undefined;

  /** @param now the time in ms, from any beginning. */
  constructor(limits: Partial<UpstreamLimits> = {}, now = () => performance.now()) {
    this.#clock = { limits: { ...upstreamLimits, ...limits }, nowMs: 0, waits: (pool) => this.#waits(pool) };
    this.#now = now;
  }

  of(upstream: Upstream): UpstreamPool {
    let pool = this.#pools.get(upstream);
    if (pool === undefined) this.#pools.set(upstream, (pool = new UpstreamPool(upstream, this.#clock)));
    return pool;
  }

  /** Connections that wait. */
  get idle(): number {
    let idle = 0;
    for (const pool of this.#waiting) idle += pool.idle;
    return idle;
  }

  /** Closes all that wait. */
  close(): void {
    for (const pool of this.#waiting) pool.close();
    this.#sweep();
  }

  #waits(pool: UpstreamPool): void {
    this.#waiting.add(pool);
    if (this.#sweeper !== undefined) return;
    this.#clock.nowMs = this.#now();
    this.#sweeper = setInterval(() => this.#sweep(), this.#clock.limits.sweepMs);
  }

  #sweep(): void {
    this.#clock.nowMs = this.#now();
    for (const pool of this.#waiting) {
      pool.sweep();
      if (pool.idle === 0) this.#waiting.delete(pool);
    }
    // Nothing waits: an idle host does not wake up every second.
    if (this.#waiting.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

/** What the pools share. */
interface Clock {
  readonly limits: UpstreamLimits;
  /** The time of the last sweep. */
  nowMs: number;
  /** A pool has its first connection that waits. */
  waits(pool: UpstreamPool): void;
}

export class UpstreamPool implements UpstreamKeeper {
  readonly #upstream: Upstream;
  readonly #clock: Clock;
  /** The last one was used last. */
  readonly #idle: UpstreamConnection[] = [];
  #isClosed = false;

  constructor(upstream: Upstream, clock: Clock) {
    this.#upstream = upstream;
    this.#clock = clock;
    // A daemon that is told to end may wait for those who are still connected.
    upstream.onEnding = () => this.close();
  }

  get instance(): string {
    return this.#upstream.instance;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** One that waits. @param isRepeatable whether the request can be sent again if the daemon has just closed it. */
  take(isRepeatable: boolean): UpstreamConnection | undefined {
    if (isRepeatable) return this.#idle.pop();
    const last = this.#idle.at(-1);
    return last !== undefined && this.#clock.nowMs - last.idleSinceMs < freshMs ? this.#idle.pop() : undefined;
  }

  /** Opens one, and tells the user when it is there. */
  open(user: UpstreamUser): UpstreamConnection {
    const connection = new UpstreamConnection(this, user);
    openWire(this.#upstream, connection);
    return connection;
  }

  keep(connection: UpstreamConnection): void {
    const idle = this.#idle;
    if (this.#isClosed || idle.length >= this.#clock.limits.idleMax) return connection.terminate();
    if (idle.length === 0) this.#clock.waits(this);
    connection.idleSinceMs = this.#clock.nowMs;
    idle.push(connection);
  }

  lost(connection: UpstreamConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  sweep(): void {
    const { nowMs, limits } = this.#clock;
    const old = this.#idle.filter(({ idleSinceMs, keptMs }) => nowMs - idleSinceMs >= Math.min(keptMs, limits.idleMs));
    for (const connection of old) {
      this.lost(connection);
      connection.terminate();
    }
  }

  /** For good. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.terminate();
  }
}
