import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RequestHead } from "../link/messages.ts";
import { eventually } from "../../tests/eventually.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { processSandbox } from "../sandbox/process.ts";
import { confinementOf } from "./pool-trial.ts";
import type { ExchangeSink } from "./work.ts";

/** An exchange as the gateway would see it: what it is told, as words. */
class Told implements ExchangeSink {
  readonly words: string[] = [];
  readonly over = Promise.withResolvers<void>();

  taken(): void {
    this.words.push("taken");
  }
  reply(): void {
    this.words.push("reply");
  }
  data(): void {}
  failed(reason: string): void {
    this.words.push(`failed: ${reason}`);
  }
  writable(): void {}
  output(): void {}
  ended(): void {
    this.words.push("ended");
    this.over.resolve();
  }
}

const nothing = new Uint8Array(0);

function request(path: string): RequestHead {
  const deadline = Date.now() + 10_000;
  const said = { operation: "GET /x", id: crypto.randomUUID(), method: "GET", path, query: "" };
  return { ...said, parameters: {}, deadline, logStdout: false, awaitVerdict: false };
}

describe("an instance", () => {
  let folder = "";
  let pool: Pool;
  const stopped: string[] = [];

  function makePool(below: string, scale: Partial<PoolOptions["scale"]> = {}, socket?: string): Pool {
    // A program of another operation than those that the tests ask for.
    const program = { argv: ["true"], wd: "/", env: [], channel: "stdin", replyPath: "/uri/{req_id}" } as const;
    const load = { app: "test", programs: { "GET /other": program }, programsMax: 4, graceMs: 100, environment: {} };
    return new Pool(
      {
        folder: below,
        sandbox: processSandbox(),
        confinement: confinementOf(below, { programs: true }),
        balance: "least-requests",
        scale: { min: 0, max: 1, idleMs: 60_000, ...scale },
        processors: 2,
        ...(socket === undefined ? {} : { sharedReplySocket: socket }),
        takesOverReplySocket: false,
        load,
      },
      {
        sample: () => {},
        output: () => {},
        health: () => {},
        stopped: (_instance, reason, expected) => void stopped.push(`${expected ? "asked" : "died"}: ${reason}`),
      },
    );
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "pool-"));
    stopped.length = 0;
  });
  afterEach(async () => {
    await pool.kill("the test is over");
    rmSync(folder, { recursive: true, force: true });
  });

  test("refuses a request that does not fit into a frame, and goes on serving", async () => {
    pool = makePool(folder);
    await pool.start();
    const long = new Told();
    pool.open(request(`/${'"'.repeat(40_000)}`), nothing, long);
    expect(long.words).toEqual(["taken", "failed: bad-request", "ended"]);
    const next = new Told();
    pool.open(request("/x"), nothing, next);
    await next.over.promise;
    // There is no such program: it is the runner that says so.
    expect(next.words).toEqual(["taken", "failed: spawn-failed", "ended"]);
    expect(stopped).toEqual([]);
  });

  test("is stopped when it has been idle for long enough, and another starts for the next request", async () => {
    pool = makePool(folder, { idleMs: 1 });
    await pool.start();
    await eventually("it is stopped", () => stopped.length > 0);
    expect(stopped).toEqual(["asked: drained"]);
    expect(readdirSync(folder)).toEqual([]);
    const next = new Told();
    pool.open(request("/x"), nothing, next);
    await next.over.promise;
    expect(next.words).toEqual(["taken", "failed: spawn-failed", "ended"]);
  });

  test("has the configured reply socket whenever it takes a request, also while the one before it leaves", async () => {
    const socket = join(folder, "configured.sock");
    mkdirSync(join(folder, "instances"));
    pool = makePool(join(folder, "instances"), { idleMs: 1 }, socket);
    await pool.start();
    const there: boolean[] = [];
    for (let round = 0; round < 5; round++) {
      // From here the one before is on its way out; asked at every turn, so that it is not gone yet.
      while (existsSync(socket)) await new Promise((resolve) => setImmediate(resolve));
      const next = new Told();
      next.taken = () => void there.push(existsSync(socket));
      pool.open(request("/x"), nothing, next);
      await next.over.promise;
    }
    expect(there).toEqual([true, true, true, true, true]);
  });

  test("is one of as many as are to be kept, however idle", async () => {
    pool = makePool(folder, { min: 2, max: 2, idleMs: 1 });
    await pool.start();
    await eventually("both are there", () => readdirSync(folder).length === 2);
    expect(stopped).toEqual([]);
  });
});
