/**
 * An instance's runner, from its start until nothing of it is left: started in its sandbox, or taken when it was started ahead;
 * confined to the app, told what to serve, ended, removed. What it says is the instance's business.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeFolder } from "../core/remove-folder.ts";
import type { Channel } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type { Confined, Confinement, InstanceUsage, RunnerProcess, Sandbox } from "../sandbox/sandbox.ts";
import { type InstanceLoad, loadOf } from "./instance-load.ts";
import { closedLink, RunnerConnection, type RunnerEvents } from "./runner-connection.ts";

export interface InstanceOptions {
  /** Where the app's instances have their folders. */
  readonly folder: string;
  readonly sandbox: Sandbox;
  /** What the app asks of it. */
  readonly confinement: Confinement;
  /** What a runner that is started runs, asked each time. Default: its sources. */
  readonly runner?: { readonly file: string };
  /** What the runner is told to serve. */
  readonly load: InstanceLoad;
}

export interface InstanceRunnerEvents {
  /** What it throws ends the link. */
  frame(frame: Frame): void;
  /** The link or the process is over, and nobody asked for it. */
  died(reason: string): void;
  /** It cannot be made the app's. */
  unconfined(reason: string): void;
}

export interface RunnerEnd {
  /** Why: more is known than before, now that it is gone. */
  readonly reason: string;
  /** Of its stderr. "": none. */
  readonly lastWords: string;
  readonly usage: InstanceUsage;
}

const loopback = "127.0.0.1";

export class InstanceRunner {
  /** UUID of the instance. */
  readonly id: string;
  readonly #options: InstanceOptions;
  readonly #folder: string;
  readonly #connection: RunnerConnection;
  /** Where the app's limits hold and its files are. Undefined: it is on the way there. */
  #confined: Confined | undefined;

  /**
   * Starts it.
   * @param spare one that has greeted, and is now this instance's.
   * @throws Error, with nothing left behind, when its folder, its link or its process cannot be made.
   */
  constructor(options: InstanceOptions, events: InstanceRunnerEvents, spare?: RunnerConnection) {
    this.#options = options;
    this.id = spare?.id ?? crypto.randomUUID();
    // The last group of the UUID: paths of sockets are short.
    this.#folder = join(options.folder, this.id.slice(-12));
    this.#connection = this.#connect(events, spare);
    void this.#confine(events);
  }

  get channel(): Channel {
    return this.#connection.channel;
  }

  get process(): RunnerProcess {
    return this.#connection.process;
  }

  /** Limits that this machine does not let us hold, as sentences; known when it serves. */
  get limitsNotHeld(): readonly string[] {
    return this.#confined?.notHeld ?? [];
  }

  /** How its memory is accounted and held; known when it serves. */
  get held(): Pick<Confined, "memorySlots" | "memoryWatchedBytesMax"> {
    return this.#confined ?? {};
  }

  /** How the host reaches a port of it. Undefined: not at all, only its runner does. */
  addressOf(port: number): { readonly host: string; readonly port: number } | undefined {
    const host = this.#confined?.address ?? (this.#confined?.ownNetwork === true ? undefined : loopback);
    return host === undefined ? undefined : { host, port };
  }

  /**
   * Ends it, and removes all that was made for it.
   * @param how "gently": it ends what it has started within its grace, tells its last lines and removes its reply sockets.
   * @param reason why it is over, as far as that is known.
   */
  async end(how: "gently" | "at-once", reason: string): Promise<RunnerEnd> {
    const { process } = this;
    const known = reason === closedLink ? await this.#connection.death() : undefined;
    if (how === "gently") await this.#connection.finish(this.#graceMs);
    else await this.#connection.kill();
    const usage = process.usage();
    await process.remove();
    removeFolder(this.#folder);
    return { reason: known ?? reason, lastWords: process.lastWords(), usage };
  }

  #connect(heard: InstanceRunnerEvents, spare: RunnerConnection | undefined): RunnerConnection {
    const { sandbox, confinement: app, runner, load } = this.#options;
    const events: RunnerEvents = {
      greeted: () => this.#loadWhenConfined(),
      frame: (frame) => heard.frame(frame),
      closed: (reason) => heard.died(reason),
    };
    try {
      mkdirSync(this.#folder, { mode: 0o700 });
      if (spare === undefined) {
        const start = { sandbox, id: this.id, folder: this.#folder, file: runner?.file, functions: load.functions !== undefined, app };
        return new RunnerConnection(start, events);
      }
      spare.events = events;
      return spare;
    } catch (error) {
      void spare?.kill().then(() => spare.process.remove());
      removeFolder(this.#folder);
      throw error;
    }
  }

  async #confine(heard: InstanceRunnerEvents): Promise<void> {
    try {
      this.#confined = await this.process.confine(this.#options.confinement);
      this.#loadWhenConfined();
    } catch (error) {
      heard.unconfined(error instanceof Error ? error.message : String(error));
    }
  }

  /** It is told what to serve when it is where its limits are: nothing of the app runs outside of them. */
  #loadWhenConfined(): void {
    if (this.#confined === undefined || !this.#connection.greeted) return;
    const { load, folder } = this.#options;
    const head = loadOf(load, this.id, { own: this.#folder, all: folder }, this.#confined);
    this.channel.send("load", 0, undefined, Buffer.from(JSON.stringify(head)), true);
  }

  get #graceMs(): number {
    const { graceMs, service } = this.#options.load;
    return Math.max(graceMs, service?.graceMs ?? 0);
  }
}
