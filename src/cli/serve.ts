/** `urocket serve`: runs apps in the foreground until a signal ends it. */
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { type Environment, readServeSettings, type ServeFlags, type ServeSettings, type SettingProblem } from "../config/settings.ts";
import type { ReloadedApp, RunningHost } from "../host/host.ts";
import { startHost } from "../host/start.ts";
import { type OpenLog, openLog } from "../telemetry/log.ts";
import { complain, tellDiagnostics, warn } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath, whyNoFolder } from "./folder-kind.ts";
import { tellReloaded, tellStarted, tellStartFailure } from "./serve-messages.ts";
import { initialState, onSignal, onStarted, type ServeSignal, type ServeState, type Step } from "./serve-signals.ts";
import { watchNpx } from "./npx.ts";
import type { Terminal } from "./terminal.ts";

const signals: readonly ServeSignal[] = ["SIGTERM", "SIGINT", "SIGHUP"];

export async function serve(
  folders: readonly string[],
  flags: ServeFlags,
  environment: Environment,
  terminal: Terminal,
): Promise<ExitCode> {
  const read = readServeSettings(flags, environment);
  const absolute = [...new Set((folders.length === 0 ? ["."] : folders).map((folder) => resolve(folder)))];
  const problems = [...(read.ok ? [] : read.problems), ...absolute.flatMap(checkFolder)];
  for (const problem of problems) complain(terminal.err, problem);
  if (!read.ok || problems.length > 0) return exitCode.usage;
  for (const warning of read.warnings) warn(terminal.err, warning);
  await using log = openServeLog(read.settings, terminal);
  // Awaited here, because the log is closed when this scope is left.
  return await new Foreground(absolute, read.settings, log, terminal).run(environment);
}

function checkFolder(folder: string): SettingProblem[] {
  const hint = "Name the folder that holds the service file, or start in it. `urocket init DIR` makes one.";
  const why = whyNoFolder(kindOfPath(folder));
  return why === undefined ? [] : [{ message: `Cannot serve ${folder}: ${why}`, hint }];
}

function openServeLog({ log }: ServeSettings, { out }: Terminal): OpenLog {
  const format = log === "auto" ? (out.isTerminal ? "pretty" : "json") : log;
  return openLog({ fd: 1, format, colours: out.colours });
}

/** Whether this process (still) has a controlling terminal: tty(4). */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** One run of the host, from its start to its end. */
class Foreground {
  readonly #folders: readonly string[];
  readonly #settings: ServeSettings;
  readonly #log: OpenLog;
  readonly #terminal: Terminal;
  readonly #ended = Promise.withResolvers<ExitCode>();
  #state: ServeState = initialState;
  #host: RunningHost | undefined;
  /** Reloads follow one another; more than one that waits would do nothing that the first does not. */
  #reloading: Promise<void> | undefined;
  #reloadAgain = false;

  constructor(folders: readonly string[], settings: ServeSettings, log: OpenLog, terminal: Terminal) {
    this.#folders = folders;
    this.#settings = settings;
    this.#log = log;
    this.#terminal = terminal;
  }

  async run(environment: Environment): Promise<ExitCode> {
    using _npx = watchNpx(environment, () => this.#take(onSignal(this.#state, "SIGTERM")));
    const listeners = signals.map((signal) => [signal, () => this.#take(onSignal(this.#state, this.#meant(signal)))] as const);
    for (const [signal, listener] of listeners) process.on(signal, listener);
    try {
      const refusal = await Promise.race([this.#start(), this.#ended.promise]);
      return refusal ?? (await this.#ended.promise);
    } finally {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    }
  }

  /** The exit code when it did not start. */
  async #start(): Promise<ExitCode | undefined> {
    const { address, port, timing, watch, graceMs } = this.#settings;
    const { err } = this.#terminal;
    // HUP and --watch are told alike.
    const onReload = (app: ReloadedApp): void => tellReloaded(err, { apps: [app] }, process.cwd());
    const outcome = await startHost({ folders: this.#folders, address, port, timing, watch, graceMs, log: this.#log, onReload });
    if (!outcome.ok) return tellStartFailure(err, outcome.failure, process.cwd());
    this.#host = outcome.host;
    tellDiagnostics(err, outcome.warnings, process.cwd());
    tellStarted(err, outcome.host, this.#settings, process.cwd());
    this.#take(onStarted(this.#state));
    return undefined;
  }

  /** A closed terminal sends HUP too. Nobody could stop a host then that nobody meant to leave behind. */
  #meant(signal: ServeSignal): ServeSignal {
    return signal === "SIGHUP" && this.#terminal.err.isTerminal && !hasTerminal() ? "SIGTERM" : signal;
  }

  #take({ state, action }: Step): void {
    this.#state = state;
    switch (action) {
      case "none":
        return;
      case "reload":
        return this.#reload();
      case "drain":
        this.#terminal.err.line(
          `Draining: open requests may finish within ${this.#settings.graceMs / 1000} s${this.#terminal.err.isTerminal ? " (Ctrl-C again ends at once)" : ""}`,
        );
        return this.#endWith(this.#host?.drain(), exitCode.done);
      case "end":
        return this.#endWith(this.#host?.stop(), exitCode.interrupted);
    }
  }

  #endWith(stopped: Promise<void> | undefined, code: ExitCode): void {
    Promise.resolve(stopped).then(
      () => this.#ended.resolve(code),
      (error: unknown) => this.#ended.reject(error),
    );
  }

  #reload(): void {
    if (this.#reloading !== undefined) {
      this.#reloadAgain = true;
      return;
    }
    this.#reloading = this.#reloadOnce().finally(() => {
      this.#reloading = undefined;
      if (this.#reloadAgain && this.#state.is === "serving") {
        this.#reloadAgain = false;
        this.#reload();
      }
    });
  }

  async #reloadOnce(): Promise<void> {
    try {
      await this.#host?.reload();
    } catch (error) {
      complain(this.#terminal.err, {
        message: `Cannot reload: ${error instanceof Error ? error.message : String(error)}`,
        hint: "What was served before still is.",
      });
    }
  }
}
