import { afterEach, describe, expect, test } from "bun:test";
import { killRoundsMax, TreeEnding } from "./tree-ending.ts";

const graceMs = 2000;
const children: Bun.Subprocess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function started(script: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const child = Bun.spawn(["sh", "-c", script], { stdin: "ignore", stdout: "pipe" });
  children.push(child);
  return child;
}

/** One that ignores TERM, from when it has said so. */
async function deaf(): Promise<Bun.Subprocess> {
  const child = started("trap '' TERM; echo deaf; while :; do sleep 0.1; done");
  await child.stdout.getReader().read();
  return child;
}

function treeOf(child: Bun.Subprocess): { isCheapToCheck: boolean; living: () => number[] } {
  return { isCheapToCheck: true, living: () => (child.exitCode === null && child.signalCode === null ? [child.pid] : []) };
}

describe("ending a tree", () => {
  test("is over at once when nothing of it lives", () => {
    const ending = new TreeEnding({ isCheapToCheck: true, living: () => [] }, 0, graceMs);
    expect(ending.begin(true)).toBe(true);
    expect([ending.forced, ending.abandoned]).toEqual([false, false]);
  });

  test("asks first, and is over when the program's exit is heard of", async () => {
    const child = started("exec sleep 1000");
    const ending = new TreeEnding(treeOf(child), 0, graceMs);
    expect(ending.begin(false)).toBe(false);
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
    expect(ending.pursue(50, 0)).toBe(false);
    expect(ending.pursue(50, 50)).toBe(true);
    expect([ending.forced, ending.abandoned]).toEqual([true, false]);
  });

  test("kills what is deaf when the grace has passed, and not before", async () => {
    const child = await deaf();
    const ending = new TreeEnding(treeOf(child), 0, graceMs);
    ending.begin(false);
    expect(ending.pursue(graceMs - 1, 0)).toBe(false);
    expect(child.signalCode).toBeNull();
    expect(ending.pursue(graceMs, 0)).toBe(false);
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    expect(ending.pursue(graceMs + 50, graceMs + 50)).toBe(true);
  });

  test("reads the process table only now and then where that is what a look costs", () => {
    let looks = 0;
    const tree = { isCheapToCheck: false, living: () => [++looks].slice(1) };
    const ending = new TreeEnding(tree, 0, graceMs);
    for (let round = 0; round < 40; round++) ending.pursue(graceMs + round * 50, 0);
    expect(looks).toBeGreaterThan(5);
    expect(looks).toBeLessThan(15);
  });

  test("gives up what no KILL ends", async () => {
    const child = started("exec sleep 1000");
    // Said to live for ever, as a process in uninterruptible sleep does.
    const ending = new TreeEnding({ isCheapToCheck: true, living: () => [child.pid] }, 0, 0);
    let rounds = 1;
    while (!ending.pursue(rounds, 0) && rounds < 1000) rounds++;
    expect(rounds).toBe(killRoundsMax + 1);
    expect(ending.abandoned).toBe(true);
    await child.exited;
  });
});
