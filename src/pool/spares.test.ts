import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { RunnerBundle } from "../build/runner-bundle.ts";
import { processState } from "../sandbox/process-figures.ts";
import { endProcessesOf, processSandbox } from "../sandbox/process.ts";
import { confinementOf, PoolTrial } from "./pool-trial.ts";
import type { RunnerConnection } from "./runner-connection.ts";
import { Spares } from "./spares.ts";

const folder = mkdtempSync(join(tmpdir(), "spares-"));
const pid = `() => ({ pid: process.pid, instance: process.env.UROCKET_INSTANCE })`;
const sandbox = processSandbox();
const app = confinementOf(folder, { functions: true });
let spares: Spares;
let trial: PoolTrial | undefined;

afterEach(async () => {
  await trial?.close();
  trial = undefined;
  await spares.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** This process's children that wait for what they are to serve. */
function runners(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim().split(" ").map(Number);
  return children.filter((child) => {
    try {
      return readFileSync(`/proc/${child}/environ`, "latin1").includes(`UROCKET_LINK=${folder}/`);
    } catch {
      return false;
    }
  });
}

describe("spare runners", () => {
  test("become instances, each once, with their own UUID, and others take their place", async () => {
    spares = new Spares({ sandbox, folder, count: 1, refillAfterMs: 1 });
    await eventually("one is ready", () => spares.ready === 1);
    const [spare] = runners();
    trial = new PoolTrial({ functions: { pid }, spares });
    await trial.pool.start();
    const call = await trial.call("pid").over.promise;
    const told = JSON.parse(call.body) as { pid: number; instance: string };
    expect(told.pid).toBe(spare ?? 0);
    expect(told.instance).toBe(call.instance ?? "");
    await eventually("the next is ready", () => spares.ready === 1);
    expect(runners()).not.toEqual([told.pid]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("are kept in the number that was asked for, and none when none was", async () => {
    spares = new Spares({ sandbox, folder, count: 3, refillAfterMs: 1 });
    await eventually("three are ready", () => spares.ready === 3);
    expect(runners()).toHaveLength(3);
    await spares.close();
    expect(runners()).toEqual([]);
    spares = new Spares({ sandbox, folder, count: 0 });
    expect(spares.take(app)).toBeUndefined();
    expect(runners()).toEqual([]);
  });

  test("that die are not given out, and are replaced after a while", async () => {
    spares = new Spares({ sandbox, folder, count: 1, refillAfterMs: 1 });
    await eventually("one is ready", () => spares.ready === 1);
    const [spare = 0] = runners();
    process.kill(spare, "SIGKILL");
    await eventually("it is gone", () => spares.ready === 0);
    expect(spares.take(app)).toBeUndefined();
    await eventually("another is ready", () => spares.ready === 1);
    expect(processState(spare)).toBeUndefined();
  });

  test("that die as they are taken keep no call from the next: another is started at once", async () => {
    spares = new Spares({ sandbox, folder, count: 1, refillAfterMs: 60_000 });
    await eventually("one is ready", () => spares.ready === 1);
    let isFirst = true;
    const dying = (): RunnerConnection | undefined => {
      const spare = isFirst ? undefined : spares.take(app);
      isFirst = false;
      // Its link has not told yet.
      if (spare !== undefined) spare.process.kill();
      return spare;
    };
    trial = new PoolTrial({ functions: { pid }, spares: { take: dying } as unknown as Spares });
    await trial.pool.start();
    const served = JSON.parse((await trial.call("pid").over.promise).body) as { pid: number };
    process.kill(served.pid, "SIGKILL");
    // One goes to the instance that was killed; the next waits for what takes its place.
    const lost = await trial.call("pid").over.promise;
    const next = await trial.call("pid").over.promise;
    expect([lost.failure, next.failure, next.status, spares.ready]).toEqual(["runner-died", undefined, 200, 0]);
  });

  test("are as many as is said last, and run what is there then", async () => {
    const bundle = new RunnerBundle();
    spares = new Spares({ sandbox, folder, count: 1, refillAfterMs: 1, runner: bundle });
    await eventually("one is ready", () => spares.ready === 1);
    const [before = 0] = runners();
    const made = mkdtempSync(join(tmpdir(), "bundle-"));
    try {
      expect(await bundle.make(made)).toBe(true);
      spares.resize(0);
      expect([spares.ready, spares.take(app)]).toEqual([0, undefined]);
      spares.resize(1);
      await eventually("another is ready", () => spares.ready === 1);
      trial = new PoolTrial({ functions: { pid }, spares, runner: bundle });
      await trial.pool.start();
      const told = JSON.parse((await trial.call("pid").over.promise).body) as { pid: number };
      expect(told.pid).not.toBe(before);
      expect(readFileSync(`/proc/${told.pid}/cmdline`, "utf8")).toContain(bundle.file);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  });

  test("that cannot be made are tried again later, and nothing else fails by it", async () => {
    spares = new Spares({ sandbox, folder: join(folder, "missing"), count: 1 });
    trial = new PoolTrial({ functions: { pid }, spares });
    await trial.pool.start();
    expect((await trial.call("pid").over.promise).status).toBe(200);
    expect(existsSync(join(folder, "missing"))).toBe(false);
  });
});

/** A host of its own process, with a spare, a frozen instance, one that waits for work and one that loops. */
async function startHost(): Promise<{ host: Bun.Subprocess; frozen: number; looping: number; folders: string[] }> {
  const script = `
    const { Spares } = await import(${JSON.stringify(join(import.meta.dir, "spares.ts"))});
    const { PoolTrial } = await import(${JSON.stringify(join(import.meta.dir, "pool-trial.ts"))});
    const { processState } = await import(${JSON.stringify(join(import.meta.dir, "../sandbox/process-figures.ts"))});
    const { processSandbox } = await import(${JSON.stringify(join(import.meta.dir, "../sandbox/process.ts"))});
    const spares = new Spares({ sandbox: processSandbox(), folder: ${JSON.stringify(folder)}, count: 1 });
    const functions = { pid: ${JSON.stringify(pid)}, spin: "() => { for (;;); }" };
    const trials = [1_000, 600_000, 600_000].map((idleMs) => new PoolTrial({ functions, scale: { min: 0, max: 1, idleMs } }));
    await Promise.all(trials.map((trial) => trial.pool.start()));
    const [frozen, , looping] = await Promise.all(trials.map(async (trial) => JSON.parse((await trial.call("pid").over.promise).body).pid));
    trials[2].call("spin");
    while (spares.ready < 1 || processState(frozen) !== "T") await Bun.sleep(5);
    console.log(JSON.stringify({ frozen, looping, folders: trials.map(({ folder }) => folder) }));
    setInterval(() => {}, 1000);`;
  // Its environment is its own: the one of a test run says that nobody outlives the process that started them.
  const host = Bun.spawn({ cmd: [process.execPath, "-e", script], env: { PATH: process.env["PATH"] }, stdout: "pipe", stderr: "inherit" });
  const { value } = await host.stdout.getReader().read();
  return { host, ...(JSON.parse(Buffer.from(value ?? []).toString()) as { frozen: number; looping: number; folders: string[] }) };
}

test("a host that is killed leaves neither spare nor frozen runners, and the next ends those that loop", async () => {
  spares = new Spares({ sandbox, folder, count: 0 });
  const { host, frozen, looping, folders } = await startHost();
  const isGone = (one: number): boolean => [undefined, "Z"].includes(processState(one));
  const all = readFileSync(`/proc/${host.pid}/task/${host.pid}/children`, "utf8").trim().split(" ").map(Number);
  try {
    expect(all).toContain(frozen);
    // Three instances, a spare, and the shell that waits for the host's end.
    expect(all).toHaveLength(5);
    host.kill("SIGKILL");
    await eventually("all are gone but the one that loops", () => all.every((one) => one === looping || isGone(one)));
    expect(isGone(looping)).toBe(false);
    expect(folders.map(endProcessesOf)).toEqual([0, 0, 1]);
    await eventually("it is gone", () => isGone(looping));
  } finally {
    host.kill("SIGKILL");
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  }
});
