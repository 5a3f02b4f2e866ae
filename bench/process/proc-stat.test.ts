import { describe, expect, test } from "bun:test";
import { descendants, memoryOf, parseStat, processTree, usedBetween, type ProcessStat } from "./proc-stat.ts";

const line = "42 (a (b) c) S 7 42 42 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 12345 1000 250 18446744073709551615";

function stat(pid: number, parent: number, ownUs = 0, reapedUs = 0): ProcessStat {
  return { pid, parent, command: "x", state: "S", startTick: 1, ownUs, reapedUs };
}

describe("parseStat", () => {
  test("reads own and reaped time in microseconds", () => {
    expect(parseStat(line)).toEqual({
      pid: 42,
      parent: 7,
      command: "a (b) c",
      state: "S",
      startTick: 12345,
      ownUs: 330_000,
      reapedUs: 770_000,
    });
  });
});

describe("descendants", () => {
  test("are found whatever the order of the list, and strangers are not among them", () => {
    const all = [stat(30, 20), stat(20, 10), stat(10, 1), stat(99, 1)];
    expect(descendants(all, [10]).map(({ pid }) => pid)).toEqual([30, 20, 10]);
  });
});

describe("usedBetween", () => {
  test("keeps the server's time and its programs' apart", () => {
    expect(usedBetween([stat(1, 0, 100, 50)], [stat(1, 0, 300, 950)])).toEqual({ ownUs: 200, programsUs: 900 });
  });
  test("counts a worker that started meanwhile from nothing, and one that ended not at all", () => {
    expect(usedBetween([stat(1, 0, 10), stat(2, 1, 500)], [stat(1, 0, 20), stat(3, 1, 7)])).toEqual({ ownUs: 17, programsUs: 0 });
  });
});

describe("the processes of this machine", () => {
  test("a child is in the tree of this process, and its time is ours once it was waited for", async () => {
    const child = Bun.spawn(["cat"], { stdin: "pipe" });
    expect(processTree([process.pid]).map(({ pid }) => pid)).toContain(child.pid);
    await child.stdin.end();
    await child.exited;
    expect(processTree([process.pid]).map(({ pid }) => pid)).not.toContain(child.pid);
  });
  test("memory of this process is more than nothing, of one that ended nothing", () => {
    expect(memoryOf([process.pid]).rssBytes).toBeGreaterThan(1_000_000);
    expect(memoryOf([2 ** 30])).toEqual({ rssBytes: 0, pssBytes: 0 });
  });
});
