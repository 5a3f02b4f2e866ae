/**
 * Runners that were started ahead and wait to be told what to serve, so that an instance's start costs the evaluation of its own
 * code and little else. One serves one app and ends with it. Used ones are replaced a while later, one at a time: not in
 * the way of the request that took it.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeFolder } from "../core/remove-folder.ts";
import type { Confinement, Sandbox } from "../sandbox/sandbox.ts";
import { RunnerConnection, type RunnerEvents } from "./runner-connection.ts";

export interface SparesOptions {
  /** What they are started in. */
  readonly sandbox: Sandbox;
  /** Where their links are made while they start. */
  readonly folder: string;
  /** How many are kept; 0: none. */
  readonly count: number;
  /** What a runner that is started runs, asked each time. Default: its sources. */
  readonly runner?: { readonly file: string };
  /** From when one was taken until another is started, in ms. Default 300: a cold start is over by then. */
  readonly refillAfterMs?: number;
}

const refillAfterMsDefault = 300;
/** Wait after one that died: doubled for each in a row. */
const backOffMs = { first: 1_000, max: 60_000 } as const;

export class Spares {
  readonly #sandbox: Sandbox;
  readonly #folder: string;
  #count: number;
  readonly #runner: SparesOptions["runner"];
  readonly #refillAfterMs: number;
  readonly #ready: RunnerConnection[] = [];
  #starting: RunnerConnection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deathsInARow = 0;
  #closed = false;

  /** Starts the first at once. */
  constructor({ sandbox, folder, count, runner, refillAfterMs = refillAfterMsDefault }: SparesOptions) {
    this.#sandbox = sandbox;
    this.#folder = folder;
    this.#count = count;
    this.#runner = runner;
    this.#refillAfterMs = refillAfterMs;
    this.#refillAfter(0);
  }

  /** Runners that could be taken now. */
  get ready(): number {
    return this.#ready.length;
  }

  /** A runner that has greeted, whose owner the caller is from now on. Undefined: none is ready, or none can be this app's. */
  take(app: Confinement): RunnerConnection | undefined {
    const runner = this.#sandbox.takesSpare(app) ? this.#ready.shift() : undefined;
    if (runner !== undefined) this.#refillAfter(this.#refillAfterMs);
    return runner;
  }

  /** Keeps so many from now on: those over it are ended. */
  resize(count: number): void {
    this.#count = count;
    for (const runner of this.#ready.splice(count)) void this.#end(runner);
    this.#refillAfter(0);
  }

  /** Ends those that wait. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const runners = this.#starting === undefined ? this.#ready : [...this.#ready, this.#starting];
    await Promise.all(runners.map((runner) => this.#end(runner)));
    this.#ready.length = 0;
  }

  #refillAfter(ms: number): void {
    if (this.#closed || this.#timer !== undefined || this.#starting !== undefined || this.#ready.length >= this.#count) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, ms);
  }

  #start(): void {
    const id = crypto.randomUUID();
    const folder = join(this.#folder, `spare-${id.slice(-12)}`);
    try {
      mkdirSync(folder, { mode: 0o700 });
      const events: RunnerEvents = {
        greeted: () => {
          removeFolder(folder);
          this.#keep(runner);
        },
        // It has not been told anything yet: there is nothing to say.
        frame: ({ type }) => {
          throw new Error(`a spare runner sent ${type}`);
        },
        closed: () => this.#died(runner, folder),
      };
      const runner = new RunnerConnection({ sandbox: this.#sandbox, id, folder, file: this.#runner?.file, functions: true }, events);
      this.#starting = runner;
    } catch {
      removeFolder(folder);
      this.#waitAfterDeath();
    }
  }

  #keep(runner: RunnerConnection): void {
    if (this.#closed || this.#starting !== runner) return;
    this.#deathsInARow = 0;
    this.#starting = undefined;
    if (this.#ready.length >= this.#count) return void this.#end(runner);
    this.#ready.push(runner);
    this.#refillAfter(this.#refillAfterMs);
  }

  async #end(runner: RunnerConnection): Promise<void> {
    await runner.kill();
    await runner.process.remove();
  }

  #died(runner: RunnerConnection, folder: string): void {
    const at = this.#ready.indexOf(runner);
    if (at >= 0) this.#ready.splice(at, 1);
    if (this.#starting === runner) this.#starting = undefined;
    void this.#end(runner).then(() => removeFolder(folder));
    this.#waitAfterDeath();
  }

  #waitAfterDeath(): void {
    this.#refillAfter(Math.min(backOffMs.max, backOffMs.first * 2 ** this.#deathsInARow++));
  }
}
