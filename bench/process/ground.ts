/**
 * Everything that a bench run starts or writes, under one owner: a temporary folder and server processes. Disposing of it
 * (at the end, on failure, on Ctrl-C) ends every process that was started, with its descendants, and removes the folder.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { processTree, type ProcessStat } from "./proc-stat.ts";

/** How long a server may take to end by itself before it is killed. */
const politeEndMs = 5_000;

export interface StartedProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** What it wrote to stderr so far, its last 2 KB. */
  complaint(): string;
}

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** File for stdout. Default: /dev/null. */
  readonly stdout?: string;
}

export class Ground implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "urocket-bench-"));
  readonly #processes = new Map<number, Bun.Subprocess>();
  #ending: Promise<void> | undefined;

  /** Starts a server in a session of its own, so that Ctrl-C on the terminal reaches it only through us. */
  start(name: string, argv: readonly string[], options: SpawnOptions = {}): StartedProcess {
    this.#refuseWhenEnding(name);
    const stderr = join(this.folder, `${name}.stderr`);
    const child = Bun.spawn([...argv], {
      cwd: options.cwd ?? this.folder,
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", ...options.env },
      stdin: "ignore",
      stdout: options.stdout === undefined ? "ignore" : Bun.file(options.stdout),
      stderr: Bun.file(stderr),
      detached: true,
    });
    this.#processes.set(child.pid, child);
    void child.exited.then(() => this.#processes.delete(child.pid));
    return { pid: child.pid, exited: child.exited, complaint: () => lastOf(stderr) };
  }

  /** Runs a client or a loop, in its own folder, to its end and reads the JSON object that it prints. @throws when it fails. */
  async measure(argv: readonly string[]): Promise<unknown> {
    const child = Bun.spawn([...argv], {
      cwd: dirname(argv[0] ?? "."),
      env: { TMPDIR: this.folder },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#processes.set(child.pid, child);
    const [output, complaint, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    this.#processes.delete(child.pid);
    if (code !== 0) throw new Error(`${argv[0]} ended with ${code}: ${complaint.trim()}`);
    return JSON.parse(output);
  }

  /** Starts a client that is told what to do on its stdin. */
  converse(argv: readonly string[]): Bun.Subprocess<"pipe", "pipe", "pipe"> {
    this.#refuseWhenEnding(argv[0] ?? "");
    const child = Bun.spawn([...argv], { cwd: this.folder, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#processes.set(child.pid, child);
    void child.exited.then(() => this.#processes.delete(child.pid));
    return child;
  }

  /** Whether disposing of it has begun. */
  get ending(): boolean {
    return this.#ending !== undefined;
  }

  #refuseWhenEnding(name: string): void {
    if (this.ending) throw new Error(`Cannot start ${name}: the bench is ending`);
  }

  /** Ends servers before the ground is disposed of. */
  async end(started: readonly StartedProcess[]): Promise<void> {
    await Promise.all(started.map(({ pid }) => this.#endProcess(pid)));
  }

  async #endProcess(pid: number): Promise<void> {
    const child = this.#processes.get(pid);
    if (child === undefined) return;
    const family = processTree([pid]);
    child.kill("SIGTERM");
    const patience = setTimeout(() => child.kill("SIGKILL"), politeEndMs);
    await child.exited;
    clearTimeout(patience);
    killLeftovers(family);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= Promise.all([...this.#processes.keys()].map((pid) => this.#endProcess(pid))).then(() =>
      rmSync(this.folder, { recursive: true, force: true }),
    );
    return this.#ending;
  }
}

/** Kills what a server left behind; never a process that was given the pid of one that ended. */
function killLeftovers(family: readonly ProcessStat[]): void {
  for (const was of family) {
    const is = processTree([was.pid]).find(({ pid }) => pid === was.pid);
    if (is?.startTick !== was.startTick) continue;
    try {
      process.kill(was.pid, "SIGKILL");
    } catch {
      // It ended between the look and the signal.
    }
  }
}

function lastOf(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(-2_000).trim();
  } catch {
    return "";
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort(): number {
  using probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  return probe.port;
}
