/**
 * The `process` sandbox: an instance's runner as an ordinary child of the host, in the control groups that this machine
 * lets us make. It ends with its link, so with the host, and what it leaves behind when it dies alone is ended here.
 */
import { fileURLToPath } from "node:url";
import { FrozenGuard } from "./frozen-guard.ts";
import { endProcess, type InstanceGroups, processesOfInstance } from "./instance-groups.ts";
import { processesWith, programTree } from "./process-figures.ts";

export interface RunnerOptions {
  /** The instance's UUID. */
  readonly instance: string;
  /** What the runner runs: its sources, or a bundle of them. Default: its sources. */
  readonly file?: string | undefined;
  /** It will run functions, or may. */
  readonly functions: boolean;
  /** Unix socket on which the host waits for the runner. */
  readonly link: string;
  /** What the runner proves itself with. */
  readonly token: string;
}

export interface RunnerProcess {
  readonly pid: number;
  /** When it is gone, and how: "exited with status 1", "was killed by SIGKILL". */
  readonly ended: Promise<string>;
  kill(): void;
  /** Stops it in place (SIGSTOP): it keeps its memory and uses no CPU. */
  pause(): void;
  /** Lets it go on (SIGCONT). */
  resume(): void;
  /** The last of what it wrote to stderr: a crash's last words. */
  lastWords(): string;
}

const runnerSource = fileURLToPath(new URL("../runner/main.ts", import.meta.url));
const releaseAfterMs = 100;
const guard = new FrozenGuard();
const lastWordsCharactersMax = 4096;
/** Rounds of ending what an instance left: each finds what was started since the one before. */
const sweepRoundsMax = 20;

export function startRunner({ instance, link, token, functions, file = runnerSource }: RunnerOptions): RunnerProcess {
  const child = Bun.spawn({
    // A runner must not read the app's own .env or bunfig, nor fetch packages. Not with --no-orphans: when the host is
    // killed that kills the runner and its programs at once, and what the programs started lives on, with nobody to end it.
    cmd: [process.execPath, "--no-env-file", "--no-install", "--config=/dev/null", file],
    cwd: "/",
    env: {
      // The last tier of compiling makes functions that compute twice as fast. A runner's own code is small: with programs alone
      // it costs 0.4 s of CPU at the start and gains nothing measurable.
      ...(functions ? {} : { BUN_JSC_useFTLJIT: "0" }),
      UROCKET_INSTANCE: instance,
      UROCKET_LINK: link,
      UROCKET_TOKEN: token,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let releasing: ReturnType<typeof setTimeout> | undefined;
  let lastWords = "";
  const listening = keepTail(child.stderr, (text) => (lastWords = text));
  return {
    pid: child.pid,
    ended: child.exited.then(async (code) => {
      guard.release(child.pid);
      await Promise.race([listening, Bun.sleep(50)]);
      return child.signalCode === null ? `exited with status ${code}` : `was killed by ${child.signalCode}`;
    }),
    kill: () => child.kill("SIGKILL"),
    pause: () => {
      clearTimeout(releasing);
      void guard.watch(child.pid);
      child.kill("SIGSTOP");
    },
    resume: () => {
      child.kill("SIGCONT");
      // Later: it is continued because there is work for it.
      releasing = setTimeout(() => guard.release(child.pid), releaseAfterMs);
    },
    lastWords: () => lastWords.trim(),
  };
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

async function keepTail(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let tail = "";
  try {
    for await (const chunk of stream) {
      tail = (tail + decoder.decode(chunk, { stream: true })).slice(-lastWordsCharactersMax);
      keep(tail);
    }
  } catch {
    // The pipe broke with the process; what came is kept.
  }
}

/**
 * Ends every process that a dead runner left: those in its groups, and those that carry its instance's id.
 * @returns how many there were.
 */
export async function endLeftovers(runnerPid: number, instance: string, groups: InstanceGroups): Promise<number> {
  const ended = new Set<number>();
  for (let round = 0; round < sweepRoundsMax; round++) {
    const left = new Set([...processesOfInstance(groups), ...programTree(runnerPid, `UROCKET_INSTANCE=${instance}`)]);
    if (left.size === 0) break;
    for (const pid of left) {
      ended.add(pid);
      endProcess(pid);
    }
    await Bun.sleep(round);
  }
  return ended.size;
}
