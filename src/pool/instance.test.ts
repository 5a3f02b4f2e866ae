import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RequestHead } from "../link/messages.ts";
import type { ExchangeSink } from "./instance.ts";
import { Pool } from "./pool.ts";

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

  function makePool(below: string): Pool {
    const load = { app: "test", programs: {}, programsMax: 4, graceMs: 100, environment: {} };
    return new Pool(
      { folder: below, limits: {}, balance: "least-requests", instancesMax: 1, takesOverReplySocket: false, load },
      { sample: () => {}, stopped: (instance, reason) => void stopped.push(`${instance}: ${reason}`) },
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
});
