/**
 * One container: started by the runtime, which is gone then; known to be over when nobody holds its stderr any more, because its init
 * does to the end, and with that the kernel ends everything in it.
 */
import { readFileSync } from "node:fs";
import { reasonOf } from "../core/system-error.ts";
import { kernelLacks } from "./container-kernel.ts";
import { FrozenGuard } from "./frozen-guard.ts";
import {
  clearInstanceGroups,
  endProcess,
  type InstanceGroups,
  limitGroups,
  makeGroups,
  noGroups,
  processesOfInstance,
  spawnInGroups,
} from "./instance-groups.ts";
import { keepTail } from "./last-words.ts";
import type { NetworkSlot } from "./network.ts";
import { processStart } from "./process-figures.ts";
import type { Confined, Confinement, InstanceLimits, InstanceUsage, RunnerProcess } from "./sandbox.ts";
import { usageOf } from "./usage.ts";

/** From `kill` until its processes are looked for one by one, in ms. */
const killMs = 2_000;
const releaseAfterMs = 100;
/** How often it is looked whether its init is there, in ms: in case somebody else holds its stderr. */
const lookMs = 2_000;
const guard = new FrozenGuard();

/** How one is made, by its sandbox. */
export interface ContainerMaking {
  /** The instance's UUID. */
  readonly instance: string;
  /** Makes its bundle and its network. @returns the runtime's command, and what was made. */
  prepare(groups: InstanceGroups): Promise<Prepared>;
  /**
   * It runs, and is nobody's yet: resolves when an app may come into it. Never rejects.
   * @param init its first process; undefined: it has ended already.
   */
  started(init: number | undefined): Promise<void>;
  /** Makes what belongs to an app visible in one that runs. Absent: it was there from the start. */
  readonly attach?: ((app: Confinement) => Promise<void>) | undefined;
  /** Where the host's files are inside, of this app. */
  inside(app: Confinement): (path: string) => string;
  /** What the app does not get, each as a sentence: files that it cannot read. */
  lacks(app: Confinement): Promise<readonly string[]>;
  /** Takes back what `prepare` and `attach` made. Never rejects. */
  remove(): Promise<void>;
}

export interface Prepared {
  readonly command: readonly string[];
  readonly pidFile: string;
  readonly network: NetworkSlot | undefined;
  readonly runFolder: string;
  /** Whether the runtime is to be started in the instance's groups; else it moves the container there itself. */
  readonly bornInGroups: boolean;
  /** The limit of processes holds from the start, by a resource limit of the container's. */
  readonly pidsHeld: boolean;
}

export class Container implements RunnerProcess {
  readonly ended: Promise<string>;
  readonly #making: ContainerMaking;
  readonly #groups: InstanceGroups;
  readonly #started: Promise<Prepared>;
  #network: NetworkSlot | undefined;
  #lastWords = "";
  #killed = false;
  #over = false;
  #confined = false;
  /** Its init, as the host sees it. */
  #init: { readonly pid: number; readonly startTicks: number } | undefined;
  #runner: number | undefined;
  /** While it starts the container. */
  #runtime: { kill(signal: "SIGKILL"): void } | undefined;
  #releasing: ReturnType<typeof setTimeout> | undefined;

  constructor(making: ContainerMaking) {
    this.#making = making;
    this.#groups = makeGroups(making.instance, "container");
    const running = Promise.withResolvers<Prepared>();
    this.#started = running.promise;
    // Whoever confines it hears of it too.
    this.#started.catch(() => {});
    this.ended = this.#live(running).then((how) => {
      this.#over = true;
      this.#release();
      return how;
    });
  }

  get pid(): number | undefined {
    if (this.#runner === undefined && this.#init !== undefined && !this.#over) this.#runner = firstChild(this.#init.pid);
    return this.#runner;
  }

  kill(): void {
    if (this.#killed || this.#over) return;
    this.#killed = true;
    this.#endInit();
    // A runtime that hangs, or an init that is somewhere else.
    const timer = setTimeout(() => this.#endAll(), killMs);
    void this.ended.then(() => clearTimeout(timer));
  }

  pause(): void {
    const { pid } = this;
    if (pid === undefined || this.#over) return;
    clearTimeout(this.#releasing);
    void guard.watch(pid);
    signal(pid, "SIGSTOP");
  }

  resume(): void {
    const { pid } = this;
    if (pid === undefined || this.#over) return;
    signal(pid, "SIGCONT");
    this.#releasing = setTimeout(() => guard.release(pid), releaseAfterMs);
  }

  lastWords(): string {
    return this.#lastWords.trim();
  }

  async confine(app: Confinement): Promise<Confined> {
    if (this.#confined) throw new Error("it was confined before");
    this.#confined = true;
    const [{ runFolder, network, pidsHeld }, lacks] = await Promise.all([
      this.#started,
      this.#making.lacks(app),
      this.#making.attach?.(app),
    ]);
    void network?.join(app.name);
    const held = limitGroups(this.#groups, this.#unheldBy(pidsHeld, app), app.content);
    const address = network?.address;
    return {
      ...held,
      notHeld: [...held.notHeld, ...lacks],
      inside: this.#making.inside(app),
      runFolder,
      ...(address === undefined ? {} : { address }),
      ownNetwork: true,
    };
  }

  usage(): InstanceUsage {
    return { ...usageOf(this.#groups.usage, this.pid), ...this.#network?.usage() };
  }

  async remove(): Promise<void> {
    this.#endAll();
    await clearInstanceGroups(this.#groups);
    await this.#making.remove();
    await this.#network?.remove();
  }

  /** Limits that its control groups have to hold. */
  #unheldBy(pidsHeld: boolean, { limits }: Confinement): InstanceLimits {
    const { pidsMax, ...others } = limits;
    return pidsHeld || pidsMax === undefined ? others : limits;
  }

  /** @returns how it ended. */
  async #live(running: PromiseWithResolvers<Prepared>): Promise<string> {
    let prepared: Prepared;
    try {
      prepared = await this.#making.prepare(this.#groups);
    } catch (error) {
      running.reject(error);
      return `could not be started: ${reasonOf(error)}`;
    }
    this.#network = prepared.network;
    if (this.#killed) {
      const reason = "was ended before it was started";
      running.reject(new Error(reason));
      return reason;
    }
    try {
      return await this.#run(prepared, running);
    } catch (error) {
      running.reject(error);
      return `could not be started: ${reasonOf(error)}`;
    }
  }

  async #run(prepared: Prepared, running: PromiseWithResolvers<Prepared>): Promise<string> {
    const { started: runtime, joined } = spawnInGroups(prepared.bornInGroups ? this.#groups : noGroups, (options) =>
      Bun.spawn({
        cmd: [...prepared.command],
        cwd: "/",
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        // Runtimes make the container's user the owner of its stdin: /dev/null would be that of the whole machine.
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
        ...options,
      }),
    );
    void runtime.stdin.end();
    this.#runtime = runtime;
    if (!joined) {
      // Moved later, it may have begun a container that is in none of them, and under no limit.
      runtime.kill("SIGKILL");
      await runtime.exited;
      throw new Error("its runtime cannot be put into its control groups");
    }
    const silent = keepTail(runtime.stderr, (text) => (this.#lastWords = text));
    let initWords = "";
    const initSilent = keepTail(runtime.stdout, (text) => (initWords = text));
    const status = await runtime.exited;
    this.#runtime = undefined;
    if (status !== 0) {
      await Promise.race([silent, Bun.sleep(50)]);
      const words = runtimeWords(this.#lastWords);
      const said = words === "" ? `the runtime ended with status ${status}` : words;
      const reason = [said, kernelLacks(process.getuid?.() === 0)].filter((part) => part !== undefined).join("; ");
      this.#lastWords = "";
      running.reject(new Error(`cannot start its container: ${reason}`));
      return `could not be started: ${reason}`;
    }
    this.#init = initOf(prepared.pidFile);
    if (this.#killed) this.#endInit();
    const ready = this.#making.started(this.#init?.pid);
    void ready.then(() => running.resolve(prepared));
    await this.#gone(Promise.all([silent, initSilent]));
    return howInitSays(initWords) ?? (this.#killed ? "was killed by SIGKILL" : "its container ended");
  }

  /** Resolves when nobody holds its stderr any more, or its init is not there. */
  async #gone(silent: Promise<unknown>): Promise<void> {
    let timer: ReturnType<typeof setInterval> | undefined;
    const missed = new Promise<void>((resolve) => {
      timer = setInterval(() => {
        if (!this.#initIsThere()) resolve();
      }, lookMs);
      timer.unref();
    });
    await Promise.race([silent, missed]);
    clearInterval(timer);
  }

  #initIsThere(): boolean {
    return this.#init !== undefined && processStart(this.#init.pid) === this.#init.startTicks;
  }

  /** With PID 1 the kernel ends all others of its namespace (pid_namespaces(7)). */
  #endInit(): void {
    if (this.#init !== undefined && this.#initIsThere()) endProcess(this.#init.pid);
  }

  #endAll(): void {
    this.#runtime?.kill("SIGKILL");
    this.#endInit();
    for (const pid of processesOfInstance(this.#groups)) endProcess(pid);
  }

  #release(): void {
    clearTimeout(this.#releasing);
    if (this.#runner !== undefined) guard.release(this.#runner);
  }
}

function initOf(pidFile: string): { pid: number; startTicks: number } | undefined {
  try {
    const pid = Number(readFileSync(pidFile, "latin1"));
    const startTicks = processStart(pid);
    return startTicks === undefined ? undefined : { pid, startTicks };
  } catch {
    // It ended as soon as it began.
    return undefined;
  }
}

/** The runner is what the init started first. */
function firstChild(pid: number): number | undefined {
  try {
    const [first = ""] = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
    return first === "" ? undefined : Number(first);
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone: its end is told by itself.
  }
}

/** strsignal(3)'s words for how runners die. */
const signalNames: Readonly<Record<string, string>> = {
  Killed: "SIGKILL",
  "Segmentation fault": "SIGSEGV",
  Aborted: "SIGABRT",
  "Illegal instruction": "SIGILL",
  "Bus error": "SIGBUS",
  "Trace/breakpoint trap": "SIGTRAP",
  Terminated: "SIGTERM",
};

/** How the runner ended: tini tells it at the end of its own output. Undefined: another init, or one that was killed. */
function howInitSays(text: string): string | undefined {
  const [, status, signalWords] =
    /Main child exited (?:normally \(with status '(\d+)'\)|with signal \(with signal '([^']+)'\))\s*$/.exec(text) ?? [];
  if (status !== undefined) return `exited with status ${status}`;
  return signalWords === undefined ? undefined : `was killed by ${signalNames[signalWords] ?? signalWords}`;
}

/** What a runtime says when it fails: crun plainly, runc in a line of its log. */
function runtimeWords(text: string): string {
  const lines = text
    .split("\n")
    .map((line) => /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll('\\"', '"') ?? line)
    .map((line) => line.replace(/^\S+Z: /, "").trim())
    .filter((line) => line !== "");
  return lines.at(-1) ?? "";
}
