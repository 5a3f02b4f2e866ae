import { describe, expect, test } from "bun:test";
import { Demand, sampleMs } from "./demand.ts";

describe("demand", () => {
  test("is averaged over what was seen, until a window is full", () => {
    const demand = new Demand(8 * sampleMs, 2 * sampleMs);
    expect([demand.stable, demand.panic, demand.none]).toEqual([0, 0, true]);
    demand.sample(4);
    expect([demand.stable, demand.panic, demand.none]).toEqual([4, 4, false]);
    for (const value of [0, 0, 2]) demand.sample(value);
    expect([demand.stable, demand.panic]).toEqual([1.5, 1]);
  });

  test("is forgotten sample by sample", () => {
    const demand = new Demand(4 * sampleMs, 2 * sampleMs);
    for (const value of [8, 8, 8, 8, 0, 0, 0]) demand.sample(value);
    expect([demand.stable, demand.panic, demand.none]).toEqual([2, 0, false]);
    demand.sample(0);
    expect([demand.stable, demand.panic, demand.none]).toEqual([0, 0, true]);
  });

  test("is the mean of the last samples whatever came before", () => {
    const demand = new Demand(5 * sampleMs, 3 * sampleMs);
    const seen: number[] = [];
    for (let step = 0; step < 200; step++) {
      const value = (step * 7919) % 13;
      seen.push(value);
      demand.sample(value);
      const mean = (count: number): number => seen.slice(-count).reduce((sum, one) => sum + one, 0) / Math.min(count, seen.length);
      expect(demand.stable).toBeCloseTo(mean(5), 9);
      expect(demand.panic).toBeCloseTo(mean(3), 9);
      expect(demand.peak).toBe(Math.max(...seen.slice(-5)));
    }
  });

  test("can be cleared", () => {
    const demand = new Demand(4 * sampleMs, 2 * sampleMs);
    demand.sample(3);
    demand.clear();
    expect([demand.stable, demand.panic, demand.none]).toEqual([0, 0, true]);
    demand.sample(1);
    expect(demand.stable).toBe(1);
  });
});
