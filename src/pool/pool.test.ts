import { expect, test } from "bun:test";
import { processSandbox } from "../sandbox/process.ts";
import { confinementOf } from "./pool-trial.ts";
import { Pool } from "./pool.ts";

test("a pool whose instances cannot even be made refuses what waits, and goes on", async () => {
  const pool = new Pool(
    {
      // Instances have their folders there: none can be made.
      folder: "/nonexistent/urocket",
      sandbox: processSandbox(),
      confinement: confinementOf("/nonexistent"),
      balance: "least-requests",
      scale: { min: 0, max: 1, idleMs: 60_000 },
      processors: 2,
      takesOverReplySocket: false,
      load: { app: "pets", programs: {}, programsMax: 1, graceMs: 0, environment: {} },
    },
    { sample: () => {}, output: () => {}, health: () => {}, stopped: () => {} },
  );
  const request = { operation: "GET /pets", id: "1", method: "GET", path: "/pets", query: "", parameters: {}, deadline: 0 };
  const over = Promise.withResolvers<void>();
  const told: string[] = [];
  pool.open({ ...request, logStdout: false, awaitVerdict: false }, new Uint8Array(0), {
    taken: () => told.push("taken"),
    reply: () => told.push("reply"),
    data: () => told.push("data"),
    failed: (reason, detail, advice) => told.push(`${reason}: ${detail}: ${advice}`),
    writable: () => told.push("writable"),
    output: () => told.push("output"),
    ended: () => over.resolve(),
  });
  await over.promise;
  await pool.kill("the test is over");
  expect(told).toEqual([expect.stringMatching(/^no-instance: No instance of the app comes up: .*ENOENT/)]);
});
