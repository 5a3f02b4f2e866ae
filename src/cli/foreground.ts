/**
 * A host in the foreground of a terminal or a supervisor: started, told about, and stopped by signals. What `serve` and `dev`
 * have in common.
 */
import { closeSync, openSync } from "node:fs";
import type { Environment, ServeMode, ServeSettings } from "../config/settings.ts";
import type { CheckedTypes, ReloadedApp, RunningHost, StartOutcome } from "../host/host.ts";
import { onChange, onNewContent } from "../host/on-change.ts";
import { startHost } from "../host/start.ts";
import type { OpenLog } from "../telemetry/log.ts";
import { complain, tellDiagnostics } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath } from "./folder-kind.ts";
import { watchNpx } from "./npx.ts";
import { tellReloaded, tellStarted, tellStartFailure, tellTypes } from "./serve-messages.ts";
import {
  initialState,
  onChanged,
  onSignal,
  onStarted,
  onStartFailed,
  type ServeSignal,
  type ServeState,
  type Step,
} from "./serve-signals.ts";
import type { Terminal } from "./terminal.ts";

const signals: readonly ServeSignal[] = ["SIGTERM", "SIGINT", "SIGHUP"];

export interface ForegroundOptions {
  readonly mode: ServeMode;
  /** Absolute. */
  readonly folders: readonly string[];
  readonly settings: ServeSettings;
  readonly log: OpenLog;
  readonly terminal: Terminal;
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
export class Foreground {
  readonly #mode: ServeMode;
  readonly #folders: readonly string[];
  readonly #settings: ServeSettings;
  readonly #log: OpenLog;
  readonly #terminal: Terminal;
  readonly #ended = Promise.withResolvers<ExitCode>();
  /** Aborted: the start is not waited for. */
  readonly #givenUp = new AbortController();
  #state: ServeState = initialState;
  #host: RunningHost | undefined;
  /** While its app is mended: whether it starts again, or leaves. */
  #waiting: PromiseWithResolvers<boolean> | undefined;
  /** Reloads follow one another; more than one that waits would do nothing that the first does not. */
  #reloading: Promise<void> | undefined;
  #reloadAgain = false;
  /** Folders of apps whose types were wrong when they were last checked. */
  readonly #brokenTypes = new Set<string>();

  constructor({ mode, folders, settings, log, terminal }: ForegroundOptions) {
    this.#mode = mode;
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
    const { err } = this.#terminal;
    for (;;) {
      const beganAtMs = Date.now();
      const outcome = await this.#startHost();
      if (outcome === "changed") {
        err.line("Changed meanwhile: starting again");
        continue;
      }
      if (outcome.ok) {
        this.#host = outcome.host;
        tellDiagnostics(err, outcome.warnings, process.cwd());
        tellStarted(err, outcome.host, this.#settings, process.cwd());
        this.#take(onStarted(this.#state));
        return undefined;
      }
      if (this.#givenUp.signal.aborted) return exitCode.done;
      const code = tellStartFailure(err, outcome.failure, process.cwd());
      if (!this.#mayWaitFor(outcome.inputs)) return code;
      err.line(`Waiting until that is mended${err.isTerminal ? " (Ctrl-C stops)" : ""}`);
      if (!(await this.#changed(outcome.inputs, beganAtMs))) return exitCode.done;
    }
  }

  /** "changed": it was changed while it started, and its start given up: a daemon that does not come up keeps nobody waiting who mends it. */
  async #startHost(): Promise<StartOutcome | "changed"> {
    const { log: _, ...settings } = this.#settings;
    const { err } = this.#terminal;
    // HUP and --watch are told alike.
    const onReload = (app: ReloadedApp): void => tellReloaded(err, { apps: [app] }, process.cwd());
    const onTypes = (app: CheckedTypes): void => this.#tellTypes(app);
    const changed = new AbortController();
    using watch = new DisposableStack();
    const onLoaded = (files: readonly string[]): void => {
      if (this.#mode === "dev") watch.use(onNewContent(files, () => changed.abort()));
    };
    const givenUp = AbortSignal.any([this.#givenUp.signal, changed.signal]);
    const told = { onLoaded, onReload, onTypes };
    const outcome = await startHost({ ...settings, mode: this.#mode, folders: this.#folders, log: this.#log, givenUp, ...told });
    if (!changed.signal.aborted || this.#givenUp.signal.aborted) return outcome;
    if (!outcome.ok) return "changed";
    // It was up at that moment.
    void outcome.host.reload();
    return outcome;
  }

  /** Whoever writes an app mends it; a folder without a service file is rather the wrong one. */
  #mayWaitFor(inputs: readonly string[]): boolean {
    if (this.#mode !== "dev" || !inputs.some((file) => kindOfPath(file).is === "other")) return false;
    this.#state = onStartFailed(this.#state).state;
    return this.#state.is === "waiting";
  }

  /** False: it was told to leave. */
  async #changed(inputs: readonly string[], sinceMs: number): Promise<boolean> {
    const change = (this.#waiting = Promise.withResolvers<boolean>());
    using _watch = onChange(inputs, sinceMs, () => this.#take(onChanged(this.#state)));
    return await change.promise;
  }

  /** Their end is news only to who was told of their beginning. */
  #tellTypes(app: CheckedTypes): void {
    if (app.problems.length === 0 && !this.#brokenTypes.delete(app.folder)) return;
    if (app.problems.length > 0) this.#brokenTypes.add(app.folder);
    tellTypes(this.#terminal.err, app, process.cwd());
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
      case "give-up":
        this.#terminal.err.line("Stopping before the start is complete");
        return this.#givenUp.abort();
      case "reload":
        return this.#reload();
      case "start-again":
        return this.#waiting?.resolve(true);
      case "leave":
        return this.#waiting?.resolve(false);
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
