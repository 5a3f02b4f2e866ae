import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processSandbox } from "../sandbox/process.ts";
import { confinementOf } from "./pool-trial.ts";
import { Fleet } from "./fleet.ts";

test("a fleet has nothing to settle before one that is not kept is due, however long the others have been idle", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fleet-"));
  const bundle = join(folder, "functions.mjs");
  writeFileSync(bundle, "export default [{ f: () => 1 }];");
  mkdirSync(join(folder, "i"));
  const functions = { bundle, folder, env: [], calls: [{ operation: "f", module: 0, export: "f" }] };
  const ready = Promise.withResolvers<void>();
  const fleet = new Fleet(
    {
      folder: join(folder, "i"),
      sandbox: processSandbox(),
      confinement: confinementOf(folder, { functions: true }),
      min: 1,
      idleMs: 4_000,
      takesOverReplySocket: false,
      load: {
        app: "trial",
        programs: {},
        programsMax: 1,
        graceMs: 100,
        environment: {},
        functions: { ...functions, listeners: [], callsMax: 1 },
      },
    },
    { sample: () => {}, output: () => {}, health: () => {}, stopped: () => {} },
    { room: () => {}, fewer: () => {}, none: () => {}, joined: () => (fleet.members.awake.length === 2 ? ready.resolve() : undefined) },
  );
  try {
    await fleet.start();
    expect(fleet.settlesInMs).toBeUndefined();
    fleet.grow(1);
    await ready.promise;
    while ((fleet.settlesInMs ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, fleet.settlesInMs));
    fleet.settle();
    const [frozen] = fleet.members.frozen;
    expect([fleet.members.frozen.length, fleet.members.awake.length]).toEqual([1, 1]);
    const [kept] = fleet.members.awake;
    while ((kept?.idleMs ?? 0) < 2_000) await new Promise(setImmediate);
    expect(fleet.settlesInMs).toBeCloseTo(4_000 - (frozen?.idleMs ?? 0), -2);
  } finally {
    fleet.close();
    await fleet.kill("the test is over");
    rmSync(folder, { recursive: true, force: true });
  }
});
