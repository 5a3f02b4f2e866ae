/** What pools do with containers that they do with processes, tried with real ones. */
import { afterEach, describe, expect } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { requireContainers } from "../../tests/system-tools.ts";
import { type ContainerSandbox, openContainers } from "../sandbox/container.ts";
import { processState } from "../sandbox/process-figures.ts";
import { PoolTrial, type TrialOptions } from "./pool-trial.ts";
import { Spares } from "./spares.ts";

const contained = requireContainers();
const hello = `() => "hello"`;
let folder: string;
let sandbox: ContainerSandbox;
let trial: PoolTrial;
let spares: Spares | undefined;

afterEach(async () => {
  await trial.close();
  await spares?.close();
  spares = undefined;
  await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startTrial(options: TrialOptions, withSpare = false): Promise<PoolTrial> {
  folder = mkdtempSync(join(tmpdir(), "containers-"));
  chmodSync(folder, 0o711);
  sandbox = await openContainers({ folder });
  if (withSpare) {
    spares = new Spares({ sandbox, folder, count: 1 });
    await eventually("one is ready", () => spares?.ready === 1);
  }
  trial = new PoolTrial({ sandbox, ...(spares === undefined ? {} : { spares }), ...options });
  await trial.pool.start();
  return trial;
}

/** The runner of the only instance, as the host sees it. */
function runnerPid(): number {
  const [sample] = trial.pool.instances();
  if (sample?.pid === undefined) throw new Error("It has no runner");
  return sample.pid;
}

describe("functions in a container", () => {
  contained("are called, with a listener's clients beside", async () => {
    await startTrial({ functions: { hello }, listener: `(line) => "got " + line` });
    const client = trial.connect();
    client.say("a\n", true);
    expect((await trial.call("hello").over.promise).body).toBe("hello");
    await client.over.promise;
    expect(client.answers).toBe("got a\n");
  });

  contained("are frozen when they are idle, and continued for the next call", async () => {
    await startTrial({ functions: { hello }, scale: { min: 0, max: 1, idleMs: 4_000 } }, true);
    expect((await trial.call("hello").over.promise).body).toBe("hello");
    const pid = runnerPid();
    await eventually("it is frozen", () => processState(pid) === "T");
    expect((await trial.call("hello").over.promise).body).toBe("hello");
    expect(runnerPid()).toBe(pid);
    await eventually("it is ended", () => trial.stopped.length > 0);
    expect(trial.stopped).toEqual(["asked: drained"]);
  });

  contained("that end their process cost that call alone", async () => {
    await startTrial({ functions: { exit: `() => process.exit(7)`, hello } });
    expect((await trial.call("exit").over.promise).failure).toBe("runner-died");
    expect((await trial.call("hello").over.promise).status).toBe(200);
    expect(trial.stopped).toEqual([expect.stringMatching(/^died: /)]);
  });

  contained("that cannot be loaded fail the start, and nothing is left", async () => {
    const started = startTrial({ functions: { hello }, prelude: "throw new Error('no such thing');" });
    await expect(started).rejects.toThrow("no such thing");
    expect(readdirSync(join(trial.folder, "i"))).toEqual([]);
  });
});
