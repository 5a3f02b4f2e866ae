/**
 * The `process` sandbox: an instance's runner as an ordinary child of the host, in the control groups that this machine
 * lets us make. It ends with its link, so with the host, and what it leaves behind when it dies alone is ended here.
 */
import { fileURLToPath } from "node:url";
import { reasonOf } from "../core/system-error.ts";
import { FrozenGuard } from "./frozen-guard.ts";
import {
  clearInstanceGroups,
  endProcess,
  type InstanceGroups,
  joinInstanceGroups,
  limitGroups,
  makeGroups,
  processesOfInstance,
  removeInstanceGroups,
  spawnInGroups,
} from "./instance-groups.ts";
import { keepTail } from "./last-words.ts";
import type { SpawnOptions } from "./memory-slots.ts";
import { processesWith, programTree } from "./process-figures.ts";
import { engineSettings } from "./runner-engine.ts";
import type { Confined, Confinement, InstanceUsage, RunnerOptions, RunnerProcess, Sandbox } from "./sandbox.ts";
import { usageOf } from "./usage.ts";

export function processSandbox(): Sandbox {
  return {
    kind: "process",
    start: (options) => new RunnerChild(options),
    // Programs take longer than a runner's start: spares are for what saves more by them.
    takesSpare: ({ content }) => content.functions || content.service,
  };
}

const runnerSource = fileURLToPath(new URL("../runner/main.ts", import.meta.url));
const releaseAfterMs = 100;
const guard = new FrozenGuard();
/** Rounds of ending what an instance left: each finds what was started since the one before. */
const sweepRoundsMax = 20;

type Child = Bun.Subprocess<"ignore", "ignore", "pipe">;

class RunnerChild implements RunnerProcess {
  readonly pid: number;
  readonly ended: Promise<string>;
  readonly #instance: string;
  readonly #child: Child;
  readonly #groups: InstanceGroups;
  /** Resolves when it is in its groups. */
  readonly #joined: Promise<void>;
  #confined = false;
  #releasing: ReturnType<typeof setTimeout> | undefined;
  #lastWords = "";

  constructor(options: RunnerOptions) {
    this.#instance = options.instance;
    this.#groups = makeGroups(options.instance, "process");
    const { started, joined } = this.#spawn(options);
    this.#child = started;
    const { pid, stderr } = this.#child;
    this.pid = pid;
    const listening = keepTail(stderr, (text) => (this.#lastWords = text));
    this.ended = this.#child.exited.then(async (code) => {
      guard.release(pid);
      await Promise.race([listening, Bun.sleep(50)]);
      return this.#child.signalCode === null ? `exited with status ${code}` : `was killed by ${this.#child.signalCode}`;
    });
    this.#joined = joined ? Promise.resolve() : joinInstanceGroups(this.#groups, pid);
    // Whoever confines it hears of the failure.
    this.#joined.catch(() => {});
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  pause(): void {
    clearTimeout(this.#releasing);
    void guard.watch(this.pid);
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
    // Later: it is continued because there is work for it.
    this.#releasing = setTimeout(() => guard.release(this.pid), releaseAfterMs);
  }

  lastWords(): string {
    return this.#lastWords.trim();
  }

  async confine({ limits, content }: Confinement): Promise<Confined> {
    this.#confined = true;
    try {
      await this.#joined;
    } catch (error) {
      throw new Error(`cannot be put into its control groups: ${reasonOf(error)}`, { cause: error });
    }
    const held = limitGroups(this.#groups, limits, content);
    return { ...held, inside: asItIs, ownNetwork: false };
  }

  usage(): InstanceUsage {
    return usageOf(this.#groups.usage, this.pid);
  }

  async remove(): Promise<void> {
    await this.#joined.catch(() => {});
    // A spare that never was an app's has started nothing.
    if (this.#confined) await endLeftovers(this.pid, this.#instance, this.#groups);
    await clearInstanceGroups(this.#groups);
  }

  #spawn(options: RunnerOptions): { started: Child; joined: boolean } {
    try {
      return spawnInGroups(this.#groups, (group) => spawnRunner(options, group));
    } catch (error) {
      removeInstanceGroups(this.#groups);
      throw error;
    }
  }
}

function spawnRunner({ instance, link, token, functions, file = runnerSource, app }: RunnerOptions, group: SpawnOptions): Child {
  return Bun.spawn({
    ...group,
    // A runner must not read the app's own .env or bunfig, nor fetch packages. Not with --no-orphans: when the host is
    // killed that kills the runner and its programs at once, and what the programs started lives on, with nobody to end it.
    cmd: [process.execPath, "--no-env-file", "--no-install", "--config=/dev/null", file],
    cwd: "/",
    env: {
      ...engineSettings(functions, app),
      UROCKET_INSTANCE: instance,
      UROCKET_LINK: link,
      UROCKET_TOKEN: token,
      ...(app === undefined ? { UROCKET_SPARE: "1" } : {}),
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
}

function asItIs(path: string): string {
  return path;
}

/** Ends the runners, with all they started, of a host that is gone. @param runFolder below which their links were. */
export function endProcessesOf(runFolder: string): number {
  const leaders = processesWith("UROCKET_LINK", `${runFolder}/`);
  const found = new Set(
    leaders.flatMap(({ pid, environment }) => programTree(pid, `UROCKET_INSTANCE=${environment.get("UROCKET_INSTANCE") ?? pid}`)),
  );
  for (const pid of found) endProcess(pid);
  return found.size;
}

/** Ends every process that a dead runner left: those in its groups, and those that carry its instance's id. */
async function endLeftovers(runnerPid: number, instance: string, groups: InstanceGroups): Promise<void> {
  for (let round = 0; round < sweepRoundsMax; round++) {
    const left = new Set([...processesOfInstance(groups), ...programTree(runnerPid, `UROCKET_INSTANCE=${instance}`)]);
    if (left.size === 0) return;
    for (const pid of left) endProcess(pid);
    await Bun.sleep(round);
  }
}
