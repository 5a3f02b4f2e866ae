import { describe, expect, test } from "bun:test";
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
import { Demand, sampleMs } from "./demand.ts";

const limits: ScaleLimits = { min: 0, max: 8, idleMs: 300_000, callsMax: 10, processors: 2, programs: false };
const calm: ScaleView = {
  ready: 1,
  starting: 0,
  waitingCalls: 0,
  waitingOther: 0,
  programsAtLeast: 0,
  stable: 0,
  panic: 0,
  peak: 0,
  calls: 1,
  nowMs: 0,
};

function want(view: Partial<ScaleView>, more: Partial<ScaleLimits> = {}, panic?: Panic): number {
  return decide({ ...calm, ...view }, { ...limits, ...more }, panic).want;
}

describe("functions", () => {
  test.each([
    ["nobody calls, and none is there: none", { ready: 0 }, 0],
    ["nobody calls, none is there, and the window remembers what was: none", { ready: 0, stable: 0.3, panic: 2 }, 0],
    ["nobody calls: the last one is left to its idleness", { ready: 3 }, 1],
    [
      "nobody calls, and those that were idle have left: none in their place, whatever the window remembers",
      { ready: 3, stable: 50, calls: 0 },
      3,
    ],
    ["somebody calls, and the window asks for more than are left: as many", { ready: 3, stable: 50 }, 5],
    ["demand that fits: what there is", { stable: 6 }, 1],
    ["demand over 70 %: one more while there is a processor for it", { stable: 7.5 }, 2],
    ["demand over 70 % of two: no more than processors", { ready: 2, stable: 19 }, 2],
    ["demand over what two take: as many as take it", { ready: 2, stable: 35 }, 4],
    ["demand over everything: the maximum", { stable: 1000 }, 8],
    ["calls wait and none is there: one", { ready: 0, waitingCalls: 3 }, 1],
    ["calls wait and one is on its way: that one", { ready: 0, starting: 1, waitingCalls: 3 }, 1],
    ["calls wait for room: room for all of them at once", { ready: 1, waitingCalls: 25 }, 4],
    ["calls wait for room, and some of it is on its way", { ready: 1, starting: 2, waitingCalls: 25 }, 4],
    ["calls wait for more room than there may be: the maximum", { ready: 1, waitingCalls: 250 }, 8],
    ["a listener's client waits and none is there: one", { ready: 0, waitingOther: 5 }, 1],
  ] as const)("%s", (_name, view, wanted) => {
    expect(want(view)).toBe(wanted);
  });

  test("are served by at least the minimum, also where that is more than the maximum", () => {
    expect(want({ ready: 0 }, { min: 3 })).toBe(3);
    expect(want({ ready: 0 }, { min: 9, max: 8 })).toBe(9);
  });

  test("that burst panic: nothing is stopped until the long window has passed", () => {
    const first = decide({ ...calm, panic: 45, nowMs: 1_000 }, limits, undefined);
    expect(first).toEqual({ want: 5, panic: { lastSeenMs: 1_000, most: 5 } });
    const later = { ...calm, ready: 5, nowMs: 1_000 + stableWindowMs };
    const held = decide(later, limits, first.panic);
    expect(held.want).toBe(5);
    expect(surplus(later, limits, held)).toBe(0);
    const over = { ...later, nowMs: 1_001 + stableWindowMs };
    const calmAgain = decide(over, limits, held.panic);
    expect(calmAgain).toEqual({ want: 1, panic: undefined });
    expect(surplus(over, limits, calmAgain)).toBe(3);
  });

  test("leave at most half of the instances without work at a time", () => {
    const stopped = [8, 4, 2, 1].map((ready) => {
      const view = { ...calm, ready };
      return surplus(view, limits, decide(view, limits, undefined));
    });
    expect(stopped).toEqual([4, 2, 1, 0]);
  });

  test("keep what the most of the long window needed", () => {
    const view = { ...calm, ready: 4, stable: 12, peak: 28 };
    const decision = decide(view, limits, undefined);
    expect(decision.want).toBe(2);
    expect(surplus(view, limits, decision)).toBe(1);
  });

  test("beside programs leave to the programs what the processors are for", () => {
    const view = { ...calm, ready: 3 };
    const mixed = { ...limits, programs: true };
    expect(surplus(view, mixed, decide(view, mixed, undefined))).toBe(1);
  });
});

describe("programs", () => {
  const programs = { callsMax: 0, programs: true, max: 2 };
  test.each([
    ["wait and none is there: one", { ready: 0, waitingOther: 3 }, 1],
    ["wait and one is on its way: that one", { ready: 0, starting: 1, waitingOther: 3 }, 1],
    ["two run on each: one more", { ready: 1, programsAtLeast: 2 }, 2],
    ["two run on each and one is on its way: that one", { ready: 1, starting: 1, programsAtLeast: 2 }, 1],
    ["one has less than two: what there is", { ready: 1, programsAtLeast: 1 }, 1],
    ["as many instances as processors: no more", { ready: 2, programsAtLeast: 9 }, 1],
  ] as const)("%s", (_name, view, wanted) => {
    expect(want(view, programs)).toBe(wanted);
  });

  test("are never stopped by a window", () => {
    const view = { ...calm, ready: 2 };
    const only = { ...limits, ...programs };
    expect(surplus(view, only, decide(view, only, undefined))).toBe(0);
  });
});

/** A pool in time: instances take `startMs` to start, calls that find no room wait; steps are samples. */
class Simulation {
  readonly counts: number[] = [];
  readonly waiting: number[] = [];
  readonly #limits: ScaleLimits;
  readonly #demand = new Demand(stableWindowMs, panicWindowMs);
  readonly #startingUntil: number[] = [];
  #panic: Panic | undefined;
  #ready: number;
  #nowMs = 0;
  #step = 0;

  constructor(more: Partial<ScaleLimits>, ready: number) {
    this.#limits = { ...limits, ...more };
    this.#ready = ready;
  }

  run(seconds: number, concurrencyAt: (second: number) => number, startMs = 250): this {
    for (let step = 0; step < (seconds * 1000) / sampleMs; step++) this.#next(concurrencyAt((step * sampleMs) / 1000), startMs);
    return this;
  }

  /** Changes of direction: up after down, or down after up. */
  get turns(): number {
    const moves = this.counts.map((count, at) => Math.sign(count - (this.counts[at - 1] ?? count))).filter((move) => move !== 0);
    return moves.filter((move, at) => at > 0 && move !== moves[at - 1]).length;
  }

  #next(concurrency: number, startMs: number): void {
    this.#nowMs += sampleMs;
    while ((this.#startingUntil[0] ?? Infinity) <= this.#nowMs) {
      this.#startingUntil.shift();
      this.#ready++;
    }
    const waitingCalls = Math.max(0, concurrency - this.#ready * this.#limits.callsMax);
    this.#demand.sample(concurrency);
    const { stable, panic, peak } = this.#demand;
    const view: ScaleView = {
      ...calm,
      ready: this.#ready,
      starting: this.#startingUntil.length,
      waitingCalls,
      stable,
      panic,
      peak,
      nowMs: this.#nowMs,
    };
    const decision = decide(view, this.#limits, this.#panic);
    this.#panic = decision.panic;
    if (++this.#step % (shrinkEveryMs / sampleMs) === 0) this.#ready -= surplus(view, this.#limits, decision);
    for (let more = decision.want - this.#ready - this.#startingUntil.length; more > 0; more--)
      this.#startingUntil.push(this.#nowMs + startMs);
    this.counts.push(this.#ready + this.#startingUntil.length);
    this.waiting.push(waitingCalls);
  }
}

describe("traffic", () => {
  test("that jumps from one to eight calls at once has eight instances within a second", () => {
    const simulation = new Simulation({ callsMax: 1 }, 1).run(5, () => 1).run(1, () => 8);
    expect(simulation.counts.at(-1)).toBe(8);
    expect(simulation.waiting.at(-1)).toBe(0);
  });

  test("that ends leaves one instance, in steps, after the long window", () => {
    const simulation = new Simulation({ callsMax: 1 }, 1).run(3, () => 8);
    const before = simulation.counts.length;
    simulation.run(stableWindowMs / 1000 - 4, () => 0);
    expect(simulation.counts.at(-1)).toBe(8);
    simulation.run(14, () => 0);
    expect([...new Set(simulation.counts.slice(before))]).toEqual([8, 4, 2, 1]);
  });

  test("that goes up and down within the long window does not make instances come and go", () => {
    const sawtooth = (second: number): number => Math.round(((second % 10) / 10) * 60);
    const simulation = new Simulation({}, 1).run(300, sawtooth);
    expect(simulation.turns).toBeLessThanOrEqual(1);
    expect(Math.max(...simulation.waiting.slice(-100))).toBe(0);
  });

  test("that is steady settles", () => {
    const simulation = new Simulation({}, 1).run(120, () => 33);
    expect(new Set(simulation.counts.slice(-400))).toEqual(new Set([4]));
    expect(simulation.turns).toBeLessThanOrEqual(1);
  });

  test("of any shape keeps the bounds, and waits only while instances start or all are there", () => {
    let seed = 42;
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    for (let round = 0; round < 60; round++) {
      const max = 1 + Math.floor(random() * 8);
      const min = Math.floor(random() * (max + 1));
      const callsMax = 1 + Math.floor(random() * 32);
      const processors = 1 + Math.floor(random() * 4);
      const simulation = new Simulation({ min, max, callsMax, processors }, min);
      for (let part = 0; part < 6; part++) {
        const level = Math.floor(random() * max * callsMax * 1.2);
        simulation.run(3 + random() * 40, () => level);
        const waiting = simulation.waiting.at(-1) ?? 0;
        if (waiting > 0) expect(simulation.counts.at(-1)).toBe(max);
      }
      expect(Math.max(...simulation.counts)).toBeLessThanOrEqual(max);
      expect(Math.min(...simulation.counts)).toBeGreaterThanOrEqual(min);
    }
  });
});
