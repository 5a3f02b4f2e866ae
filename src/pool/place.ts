/**
 * A request's place at an instance's daemon: looked for, held, given back. One object all the way, because there is one for every
 * request. The bytes of the request are the gateway's business.
 */
import type { LimitName } from "../core/limit-name.ts";
import type { PlaceHandle, PlaceOutcome, PlaceSink, ReachedLimit, ServicePlace, Upstream } from "./work.ts";

/** Who holds places: an instance. */
export interface PlaceHolder {
  readonly upstream: Upstream;
  hold(place: Place): void;
  released(place: Place, outcome: PlaceOutcome): void;
  strain(sinceMs: number): string | undefined;
  reachedLimit(sinceMs: number): ReachedLimit | undefined;
}

/** Waits as `Waiting` does. */
export class Place implements PlaceHandle, ServicePlace {
  /** Among its holder's places, whose business it is. */
  at = -1;
  /** An instance that it goes to only when there is no other. */
  readonly avoid: readonly string[];
  readonly #sink: PlaceSink;
  #holder: PlaceHolder | undefined;
  #upstream = nowhere;
  /** Where it waits; undefined: it does not. */
  #queue: Set<Place> | undefined;

  constructor(sink: PlaceSink, avoid: readonly string[]) {
    this.#sink = sink;
    this.avoid = avoid;
  }

  get instance(): string {
    return this.#upstream.instance;
  }

  get upstream(): Upstream {
    return this.#upstream;
  }

  /** It waits, in another queue than before if it did. */
  waitIn(queue: Set<Place>): void {
    this.#queue?.delete(this);
    this.#queue = queue;
    queue.add(this);
  }

  get waits(): boolean {
    return this.#queue !== undefined;
  }

  goTo(holder: PlaceHolder): void {
    this.#leaveQueue();
    holder.hold(this);
  }

  refuse(detail: string, advice?: string): void {
    this.#leaveQueue();
    this.#sink.failed("no-instance", detail, advice);
  }

  withdraw(): void {
    this.#leaveQueue();
  }

  /** To be called by its holder. */
  heldBy(holder: PlaceHolder): void {
    this.#holder = holder;
    this.#upstream = holder.upstream;
    this.#sink.placed(this);
  }

  release(outcome: PlaceOutcome): void {
    const holder = this.#holder;
    this.#holder = undefined;
    holder?.released(this, outcome);
  }

  strain(sinceMs: number): string | undefined {
    return this.#holder?.strain(sinceMs);
  }

  reachedLimit(sinceMs: number): ReachedLimit | undefined {
    return this.#holder?.reachedLimit(sinceMs);
  }

  /** Its holder is gone. Nothing is told when it was given back meanwhile. */
  lost(detail: string, limit?: LimitName): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    this.#sink.lost(detail, limit);
  }

  #leaveQueue(): void {
    this.#queue?.delete(this);
    this.#queue = undefined;
  }
}

const nowhere: Upstream = {
  instance: "",
  connect: () => {
    throw new Error("A place that was not found leads nowhere");
  },
};
