/**
 * The real `urocket serve`, as a person starts it: a process of its own, spoken to by HTTP and signals, seen by what it
 * prints. When a test is through with it, it is asked to stop, and nothing that it started may be left.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { root } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { leftInKernel } from "./left-in-kernel.ts";
import { type Process, processesMarked } from "./process-tree.ts";
import { urocket } from "./urocket-command.ts";

/** A line of the host's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface ServeOptions {
  /** Flags beyond the folder and `--port 0`. */
  readonly flags?: readonly string[];
  /** Added to the host's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further app folders. */
  readonly folders?: readonly string[];
  /** Whether it is started in the app's folder. */
  readonly inAppFolder?: boolean;
}

export interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** What it has logged so far. */
  readonly log: readonly LogLine[];
  /** What it has printed on stderr so far. */
  stderr(): string;
  /** Waits for a line of the log that fits. */
  logged(what: string, fits: (line: LogLine) => boolean): Promise<LogLine>;
  /** The `exchange` line of a request. */
  exchange(requestId: string): Promise<LogLine>;
  /** Waits until it has written this to stderr, or logged it as an event of the host. */
  said(pattern: RegExp): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Its exit code, or 128 and the signal's number as a shell has it. */
  readonly exited: Promise<number>;
  /** It and everything it started that is still there. */
  processes(): Process[];
  /** Its runners. */
  runners(): Process[];
}

/** What a host that did not start said. */
export interface Refusal {
  readonly exitCode: number;
  readonly stderr: string;
}

/** Starts a host for a folder and waits until it serves. Throws with what it said when it does not. */
export async function serve(folder: string, options: ServeOptions = {}): Promise<Serving> {
  const host = start(folder, options);
  const port = await Promise.race([
    eventually("the host tells its address", () => addressIn(host)),
    host.child.exited.then(() => addressIn(host)),
  ]);
  if (port === undefined) throw new Error(`The host did not start (exit ${await host.child.exited}):\n${host.stderr()}`);
  return serving(host, port);
}

/** Starts a host and waits for nothing: it has no address. */
export function startServing(folder: string, options: ServeOptions = {}): Serving {
  return serving(start(folder, options), 0);
}

/** Starts a host that is expected not to start. */
export async function serveInVain(folder: string, options: ServeOptions = {}): Promise<Refusal> {
  const host = start(folder, options);
  try {
    const exitCode = await eventually("the host exits", () => host.child.exitCode ?? undefined);
    await host.read;
    return { exitCode, stderr: host.stderr() };
  } finally {
    host.child.kill("SIGKILL");
    await host.child.exited;
    await nothingLeft(host.marks);
  }
}

/** A request that is awaited later: its failure is seen then, and not as one that nobody handled. */
export function startRequest(host: Serving, path: string): Promise<Response> {
  const request = fetch(host.url + path);
  request.catch(() => undefined);
  return request;
}

interface Started {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly marks: readonly string[];
  readonly log: LogLine[];
  readonly stderr: () => string;
  /** Both outputs were read to their end. */
  readonly read: Promise<unknown>;
}

/** Hosts that run. A test that bun gives up, at a rejection that nobody handled, never comes to disposing of its own. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

function start(folder: string, { flags = [], env = {}, folders = [], inAppFolder = false }: ServeOptions): Started {
  const mark = `urocket-mark-${randomUUID()}`;
  const { PATH = "", HOME = "/", LANG = "C.UTF-8" } = process.env;
  const child = Bun.spawn([join(root, "bin/urocket"), "serve", folder, ...folders, "--port", "0", ...flags], {
    // Programs are given its PATH: this folder, which does not exist, tells them from all other processes.
    env: { PATH: `${PATH}:/nonexistent/${mark}`, HOME, LANG, ...env },
    ...(inAppFolder ? { cwd: folder } : {}),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.add(child);
  void child.exited.then(() => running.delete(child));
  const log: LogLine[] = [];
  let stderr = "";
  const read = Promise.all([
    eachLine(child.stdout, (line) => log.push(JSON.parse(line) as LogLine)),
    eachLine(child.stderr, (line) => {
      stderr += `${line}\n`;
    }),
  ]);
  // Runners have no PATH; their link lies in their host's run folder, which has its number, as their control groups have.
  return { child, marks: [mark, `/urocket-${child.pid}-`], log, stderr: () => stderr, read };
}

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  if (rest !== "") take(rest);
}

function addressIn(host: Started): number | undefined {
  const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(host.stderr())?.[1];
  return port === undefined ? undefined : Number(port);
}

function serving(host: Started, port: number): Serving {
  const { child, log, marks } = host;
  const logged = async (what: string, fits: (line: LogLine) => boolean): Promise<LogLine> =>
    await eventually(`the log tells ${what}`, () => log.find(fits));
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    log,
    stderr: host.stderr,
    logged,
    exchange: async (requestId) =>
      await logged(`the exchange ${requestId}`, (line) => line["type"] === "exchange" && line["requestId"] === requestId),
    said: async (pattern) => {
      await eventually(
        `the host says ${pattern}`,
        () => pattern.test(host.stderr()) || log.some((line) => line["type"] === "host" && pattern.test(JSON.stringify(line))),
      );
    },
    signal: (name) => void child.kill(name),
    exited: child.exited,
    processes: () => processesMarked(marks),
    // Its sources, or the one file that is made of them; in a container there is an init before it.
    runners: () => processesMarked(marks).filter(({ command }) => /^(?!\/\.urocket\/init).*runner\/main\.[jt]s/.test(command)),
    [Symbol.asyncDispose]: async () => await stop(host),
  };
}

/** Asks it to stop, if it still runs, and makes sure that nothing is left, whatever happens. */
async function stop({ child, marks, stderr }: Started): Promise<void> {
  try {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await eventually(
        () => `the host stops; it said:\n${stderr()}`,
        () => child.exitCode !== null || child.signalCode !== null,
      );
      if (child.exitCode !== 0) throw new Error(`The host stopped with ${child.exitCode ?? child.signalCode}:\n${stderr()}`);
    }
    await nothingLeft(marks);
    // One that was killed leaves empty control groups to the next host, or to this command.
    if (child.signalCode !== null) await urocket(["doctor", "--clean"]);
    await eventually(
      () => `nothing of the host is left in the kernel, but there are ${leftInKernel(child.pid).join(", ")}`,
      () => leftInKernel(child.pid).length === 0,
    );
  } finally {
    child.kill("SIGKILL");
    for (const { pid } of processesMarked(marks)) endProcess(pid);
  }
}

async function nothingLeft(marks: readonly string[]): Promise<void> {
  await eventually(
    () => `no process of the host is left, but there are ${describe(processesMarked(marks))}`,
    () => processesMarked(marks).length === 0,
  );
}

function describe(processes: readonly Process[]): string {
  return processes.map(({ pid, state, command }) => `${pid} (${state}) ${command}`).join("; ") || "none yet";
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
