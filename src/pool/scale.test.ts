import { describe, expect, test } from "bun:test";
import { decide } from "./scale.ts";

const limits = { min: 0, max: 2, idleMs: 1000 };
const busy = { open: 2, idleMs: 0 };
const light = { open: 1, idleMs: 0 };
const fresh = { open: 0, idleMs: 999 };
const idle = { open: 0, idleMs: 1000 };
const longIdle = { open: 0, idleMs: 5000 };

describe("a pool", () => {
  test.each([
    ["starts one for what waits", { ready: [], starting: 0, waiting: 3 }, 1],
    ["waits for the one that is on its way", { ready: [], starting: 1, waiting: 3 }, 0],
    ["starts none for nobody", { ready: [], starting: 0, waiting: 0 }, 0],
    ["starts another when all are busy", { ready: [busy], starting: 0, waiting: 0 }, 1],
    ["does not while one is not", { ready: [light], starting: 0, waiting: 0 }, 0],
    ["starts none beyond its maximum", { ready: [busy, busy], starting: 0, waiting: 0 }, 0],
  ] as const)("%s", (_name, view, start) => {
    expect(decide(view, limits)).toEqual({ start, stop: [] });
  });

  test("keeps its minimum, started at once", () => {
    expect(decide({ ready: [light], starting: 0, waiting: 0 }, { ...limits, min: 3, max: 4 }).start).toBe(2);
    expect(decide({ ready: [idle, longIdle], starting: 0, waiting: 0 }, { ...limits, min: 1 }).stop).toEqual([longIdle]);
    expect(decide({ ready: [idle], starting: 0, waiting: 0 }, { ...limits, min: 1 }).stop).toEqual([]);
  });

  test("stops what has been idle for long enough, and nothing else", () => {
    expect(decide({ ready: [fresh, idle, longIdle, light], starting: 0, waiting: 0 }, limits).stop).toEqual([longIdle, idle]);
  });
});
