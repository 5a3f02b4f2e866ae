/**
 * The process as functions see it: their environment and working directory, `console`, stdout and stderr, which all lead to
 * the host's log, and what they throw where nobody catches it, which costs them a log line and not the instance.
 */
import type { Writable } from "node:stream";
import type { LogLevel } from "./function-log.ts";
import { OutputLines, type TakeLine } from "./output-lines.ts";

export interface AuthorEvents {
  printed(level: LogLevel, text: string): void;
  readonly stdout: TakeLine;
  readonly stderr: TakeLine;
  /** Nobody has caught it: a promise that was rejected, or an error out of a timer or another callback. */
  uncaught(error: unknown, where: "promise" | "callback"): void;
  /** `process.exit` was called, or nothing can go on. Nothing asynchronous happens any more. */
  exiting(status: number): void;
}

/** What is printed most. Others come by way of a console of Node's, which is loaded when one of them is used. */
const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;

const otherMethods = [
  "dir",
  "dirxml",
  "table",
  "assert",
  "count",
  "countReset",
  "group",
  "groupCollapsed",
  "groupEnd",
  "time",
  "timeLog",
  "timeEnd",
] as const;

/** Gives functions their environment, and nothing of the runner's. */
export function setSurroundings(environment: Iterable<readonly [string, string]>, folder: string): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, value] of environment) process.env[name] = value;
  for (const name of ["spawn", "spawnSync"] as const) Reflect.set(Bun, name, inEnvironment(Bun[name]));
  process.chdir(folder);
}

/**
 * Without an `env` of its own Bun's spawn hands on what this process was started with, whatever `process.env` has become; Node's
 * `child_process` and Bun's shell do not.
 */
function inEnvironment(spawn: typeof Bun.spawn | typeof Bun.spawnSync): (...words: readonly unknown[]) => unknown {
  const filled = (options: unknown): object => {
    const { env = process.env, ...rest } = (options ?? {}) as { readonly env?: unknown };
    return { ...rest, env };
  };
  return (first, options) => Reflect.apply(spawn, Bun, Array.isArray(first) ? [first, filled(options)] : [filled(first)]) as unknown;
}

/** From now on everything that functions print or throw is told here. */
export function captureOutput(events: AuthorEvents): void {
  captureConsole(events);
  captureStream("stdout", events.stdout);
  captureStream("stderr", events.stderr);
  process.on("unhandledRejection", (error: unknown) => events.uncaught(error, "promise"));
  process.on("uncaughtException", (error) => events.uncaught(error, "callback"));
  process.on("exit", (status) => events.exiting(status));
}

function captureConsole(events: AuthorEvents): void {
  for (const [method, level] of Object.entries(levels)) {
    define(console, method, (...values: readonly unknown[]) => events.printed(level, formatted(values)));
  }
  define(console, "trace", (...values: readonly unknown[]) => {
    const { stack = "" } = new Error(formatted(values));
    events.printed("debug", stack.replace(/^Error/, "Trace"));
  });
  let rest: OtherConsole | undefined;
  for (const method of otherMethods) {
    define(console, method, (...values: readonly unknown[]) => {
      rest ??= otherConsole(events);
      return Reflect.apply(rest[method], rest, values) as unknown;
    });
  }
}

/** One text is printed as it is, whatever it holds: only a format has its % read. */
function formatted(values: readonly unknown[]): string {
  const [first] = values;
  if (values.length === 1 && typeof first === "string") return first;
  // Loaded when it is needed: that takes five milliseconds, as long as the rest of a start.
  return process.getBuiltinModule("node:util").formatWithOptions({ colors: false }, ...values);
}

type OtherConsole = InstanceType<typeof console.Console>;

function otherConsole(events: AuthorEvents): OtherConsole {
  const sink = (level: LogLevel) => ({
    write: (text: string) => events.printed(level, text.replace(/\n$/, "")),
    on: () => {},
    once: () => {},
    removeListener: () => {},
    listenerCount: () => 0,
  });
  // Node's console takes whatever can be written to.
  return new console.Console({ stdout: sink("info"), stderr: sink("warn"), colorMode: false } as never);
}

/** A stream of our own, made for those who use it. */
function captureStream(name: "stdout" | "stderr", take: TakeLine): void {
  let stream: Writable | undefined;
  // Only an assignment does not make the process's own stream first, which takes five milliseconds.
  Reflect.set(process, name, undefined);
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => (stream ??= lineStream(name === "stdout" ? 1 : 2, new OutputLines(take))),
  });
}

function lineStream(fd: number, lines: OutputLines): Writable {
  const { Writable } = process.getBuiltinModule("node:stream");
  const stream = new Writable({
    write(chunk: Uint8Array, _encoding, written) {
      lines.push(chunk);
      written();
    },
  });
  return Object.assign(stream, { fd, isTTY: false });
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: true });
}
