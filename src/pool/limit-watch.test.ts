import { describe, expect, test } from "bun:test";
import type { InstanceLimits, InstanceUsage } from "../sandbox/sandbox.ts";
import { LimitWatch } from "./limit-watch.ts";

const MiB = 1024 * 1024;

/** An instance whose figures are the test's. */
class Bed {
  usage: InstanceUsage = { memoryBytes: 10 * MiB, memoryPeakBytes: 64 * MiB, oomKills: 0, pidsRefused: 0, throttledMs: 0 };
  looks = 0;
  readonly watch: LimitWatch;

  constructor(limits: InstanceLimits = { memoryBytesMax: 64 * MiB, pidsMax: 64, cpuMax: 0.5 }) {
    this.watch = new LimitWatch(() => {
      this.looks++;
      return this.usage;
    }, limits);
    this.watch.beat(0);
  }

  becomes(usage: InstanceUsage): void {
    this.usage = { ...this.usage, ...usage };
  }
}

describe("the limit that something failed by", () => {
  test("is the one that the kernel counted since it began", () => {
    const bed = new Bed();
    expect(bed.watch.reachedSince(10, 20)).toBeUndefined();
    bed.becomes({ pidsRefused: 3 });
    expect(bed.watch.reachedSince(10, 30)).toBe("pids");
    bed.becomes({ oomKills: 1 });
    expect(bed.watch.reachedSince(10, 40)).toBe("memory");
    // What began later has nothing to do with it.
    expect(bed.watch.reachedSince(50, 60)).toBeUndefined();
  });

  test("is not another program's, where the runner knows each one's", () => {
    const bed = new Bed();
    bed.watch.confined({ memorySlots: { version: 1, folder: "/x" } }, true);
    bed.becomes({ oomKills: 1 });
    expect(bed.watch.ofProgramSince(10, 20)).toBeUndefined();
    bed.becomes({ pidsRefused: 1 });
    expect(bed.watch.ofProgramSince(10, 30)).toBe("pids");
    const contained = new Bed();
    contained.watch.confined({}, false);
    contained.becomes({ oomKills: 1 });
    expect(contained.watch.ofProgramSince(10, 20)).toBe("memory");
  });

  test("of an instance that has ended is what it ran into just now", () => {
    const bed = new Bed();
    bed.becomes({ oomKills: 1 });
    expect(bed.watch.beat(1_000)).toBe(true);
    expect(bed.watch.reachedAtLast(1_900)).toBe("memory");
    expect(bed.watch.reachedAtLast(2_100)).toBeUndefined();
  });

  test("is not looked for more often than it can matter, however much fails", () => {
    const bed = new Bed();
    for (let failure = 0; failure < 1000; failure++) bed.watch.reachedSince(1, 2);
    expect(bed.looks).toBeLessThanOrEqual(21);
    bed.watch.beat(250);
    bed.becomes({ oomKills: 1 });
    expect(bed.watch.reachedSince(1, 260)).toBe("memory");
  });

  test("may fall away with a group, and counts anew from there", () => {
    const bed = new Bed();
    bed.becomes({ oomKills: 4 });
    bed.watch.beat(10);
    bed.becomes({ oomKills: 0 });
    bed.watch.beat(20);
    bed.becomes({ oomKills: 1 });
    expect(bed.watch.reachedSince(30, 40)).toBe("memory");
  });
});

describe("its words", () => {
  test("name the key of the service file and the value", () => {
    const { watch } = new Bed();
    expect(watch.words("memory", 1)).toBe("reached limits.memory of 64 MiB");
    expect(watch.words("pids", 1)).toBe("reached limits.pids of 64");
  });

  test("do not blame a limit that was far, or is not there", () => {
    const bed = new Bed();
    bed.becomes({ memoryPeakBytes: 20 * MiB });
    expect(bed.watch.words("memory", 1)).toBe("was chosen by the kernel when the machine ran out of memory");
    const unlimited = new Bed({});
    expect(unlimited.watch.words("memory", 1)).toBe("was chosen by the kernel when the machine ran out of memory");
    expect(unlimited.watch.words("pids", 1)).toBe("reached the machine's limit of processes");
  });
});

describe("what held an instance back", () => {
  test("is its CPU limit, where that took a good part of the time", () => {
    const bed = new Bed();
    bed.becomes({ throttledMs: 900 });
    bed.watch.beat(1_000);
    bed.becomes({ throttledMs: 1_500 });
    expect(bed.watch.strainSince(1_000, 2_000)).toBe("limits.cpu of 0.5 held the app's instance back for 600 ms of that");
    expect(bed.watch.strainSince(0, 2_000)).toBe("limits.cpu of 0.5 held the app's instance back for 1500 ms of that");
  });

  test("is never more than the time itself, though each processor counts", () => {
    const bed = new Bed();
    bed.becomes({ throttledMs: 5_000 });
    expect(bed.watch.strainSince(0, 1_000)).toContain("for 1000 ms of that");
  });

  test("is not worth a word where it was little, or where there is no limit", () => {
    const bed = new Bed();
    bed.becomes({ throttledMs: 50 });
    expect(bed.watch.strainSince(0, 1_000)).toBeUndefined();
    const unlimited = new Bed({});
    unlimited.becomes({ throttledMs: 900 });
    expect(unlimited.watch.strainSince(0, 1_000)).toBeUndefined();
  });
});

describe("memory that the kernel does not limit", () => {
  test("is watched: over it at two beats in a row, and the instance has to be ended", () => {
    const bed = new Bed();
    bed.watch.confined({ memoryWatchedBytesMax: 64 * MiB }, true);
    bed.becomes({ memoryBytes: 65 * MiB });
    expect(bed.watch.beat(1)).toBe(true);
    bed.becomes({ memoryBytes: 63 * MiB });
    expect(bed.watch.beat(2)).toBe(true);
    bed.becomes({ memoryBytes: 65 * MiB });
    expect([bed.watch.beat(3), bed.watch.beat(4)]).toEqual([true, false]);
  });

  test("does not count the runner's own, where that runs nothing of the app", () => {
    const bed = new Bed();
    bed.watch.confined({ memoryWatchedBytesMax: 64 * MiB }, false);
    bed.becomes({ memoryBytes: 100 * MiB });
    expect([bed.watch.beat(1), bed.watch.beat(2)]).toEqual([true, true]);
    bed.becomes({ memoryBytes: 113 * MiB });
    expect([bed.watch.beat(3), bed.watch.beat(4)]).toEqual([true, false]);
  });
});
