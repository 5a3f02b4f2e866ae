/** The instances of a pool, sorted by what may be asked of them: who takes work, who sleeps, who is on the way or about to leave. */
import type { ScaleView } from "./autoscaler.ts";
import { type Ejection, neverEjected } from "./ejection.ts";
import type { Instance } from "./instance.ts";

/** An instance, and what its pool knows of it. */
export interface Member {
  readonly instance: Instance;
  /** It began with a runner that had been started ahead. */
  readonly begunAhead: boolean;
  /** It has become ready once. */
  served: boolean;
  ejection: Ejection;
  /** It was asked to stop; why, where that is not idleness. */
  leaving: { readonly why: string | undefined } | undefined;
  /** It makes room for this one when that is ready. */
  successor: { readonly member: Member; readonly why: string } | undefined;
}

export class Members {
  readonly #all: Member[] = [];
  #awake: readonly Instance[] = [];
  #frozen: readonly Instance[] = [];
  #ejected = false;

  get all(): readonly Member[] {
    return this.#all;
  }

  /** Those that take work now. */
  get awake(): readonly Instance[] {
    return this.#awake;
  }

  /** Those that take work when they are woken. */
  get frozen(): readonly Instance[] {
    return this.#frozen;
  }

  /** Some may come back into rotation by time alone. */
  get ejected(): boolean {
    return this.#ejected;
  }

  /** How many were not asked to stop. */
  get staying(): number {
    let staying = 0;
    for (const { leaving } of this.#all) if (leaving === undefined) staying++;
    return staying;
  }

  add(instance: Instance, begunAhead: boolean): Member {
    const member: Member = { instance, begunAhead, served: false, ejection: neverEjected, leaving: undefined, successor: undefined };
    this.#all.push(member);
    return member;
  }

  remove(member: Member): void {
    this.#all.splice(this.#all.indexOf(member), 1);
    for (const old of this.#all) if (old.successor?.member === member) old.successor = undefined;
    this.sort();
  }

  /** To be called when a member's state, health, leaving or ejection has changed. */
  sort(): void {
    const now = performance.now();
    const serving = this.#all.filter(({ instance, leaving }) => leaving === undefined && instance.state === "ready");
    const well = serving.filter(({ instance }) => instance.ailment === undefined);
    const sound = well.filter(({ ejection }) => ejection.untilMs <= now);
    this.#ejected = sound.length < well.length;
    // The last ones are never left out: failing work is better than none.
    const inRotation = [sound, well, serving].find(({ length }) => length > 0) ?? [];
    this.#awake = inRotation.map(({ instance }) => instance);
    this.#frozen = this.#all.filter(({ instance }) => instance.state === "frozen").map(({ instance }) => instance);
  }

  /** Members that serve and have no work, the longest idle first. */
  byIdleness(): Member[] {
    const idle = this.#all.filter(
      ({ instance: { state, open }, leaving, successor }) =>
        leaving === undefined && successor === undefined && open === 0 && (state === "ready" || state === "frozen"),
    );
    return idle.toSorted((a, b) => b.instance.idleMs - a.instance.idleMs);
  }

  /** Functions that run, connections that wait for an answer, and requests that daemons have. */
  callsBusy(): number {
    let busy = 0;
    for (const { instance } of this.#all) busy += instance.calls + instance.busyConnections + instance.places;
    return busy;
  }

  counts(): Pick<ScaleView, "ready" | "starting" | "programsAtLeast"> {
    let ready = 0;
    let starting = 0;
    let programsAtLeast = Infinity;
    for (const { instance, leaving, successor } of this.#all) {
      // One that is being replaced counts by who replaces it; one that does not answer is as good as none.
      if (leaving !== undefined || successor !== undefined || instance.state === "unresponsive") continue;
      if (instance.state === "ready" || instance.state === "frozen") {
        ready++;
        programsAtLeast = Math.min(programsAtLeast, instance.programs);
      } else {
        // One that died is still being cleaned up: its place is not free yet.
        starting++;
      }
    }
    return { ready, starting, programsAtLeast: ready === 0 ? 0 : programsAtLeast };
  }
}
