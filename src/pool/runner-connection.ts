/**
 * A runner's process with the link to it: started in a folder, greeted, and there until one of both ends. A spare is one
 * that nobody has loaded yet; an instance is one that was told what to serve.
 */
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Channel, channelSocket, peerClosed, runnerFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import { helloFault, helloOf } from "../link/hello.ts";
import type { HelloHead } from "../link/messages.ts";
import type { InstanceGroups } from "../sandbox/instance-groups.ts";
import { type RunnerProcess, startRunner } from "../sandbox/process.ts";
import { parseHead } from "./runner-word.ts";

/** Who hears of it; a spare's owner first, then the instance's. */
export interface RunnerEvents {
  /** It has said who it is: it may be loaded. */
  greeted(): void;
  /** A frame after the greeting. What it throws ends the link. */
  frame(frame: Frame): void;
  /** The link or the process is over, once. */
  closed(reason: string): void;
}

export interface RunnerStart {
  /** Of the instance that it is or will be: the runner's environment holds it. */
  readonly id: string;
  /** Where its socket is made: 0700, and short, because paths of sockets are. */
  readonly folder: string;
  /** What the runner runs. Default: its sources. */
  readonly file: string | undefined;
  /** It will run functions, or may. */
  readonly functions: boolean;
}

/** Why a runner is over whose link has ended: it died, or it closed it. */
export const closedLink = "closed its link";
/** Between the end of a runner's link and that of its process, in ms, when it died. */
const deathMs = 50;
/** From `drain` until the runner, which ends its programs within their grace, must be gone. */
const exitGraceMs = 5_000;

export class RunnerConnection {
  /** UUID of the instance that it is or will be. */
  readonly id: string;
  readonly channel: Channel;
  readonly process: RunnerProcess;
  events: RunnerEvents;
  /** Control groups that it was put into ahead of its load. */
  groups: InstanceGroups | undefined;

  readonly #token = crypto.randomUUID();
  readonly #socket: string;
  readonly #listener: { stop(closeActive?: boolean): void };
  #greeted = false;
  #closed = false;

  /**
   * Starts it.
   * @throws Error, with nothing left behind, when the socket or the process cannot be made.
   */
  constructor({ id, folder, file, functions }: RunnerStart, events: RunnerEvents) {
    this.id = id;
    this.events = events;
    this.#socket = join(folder, "link.sock");
    this.channel = new Channel(runnerFrameBytesMax, {
      frame: (frame) => (this.#greeted ? this.events.frame(frame) : this.#greet(frame)),
      closed: (reason) => this.#close(reason === peerClosed ? closedLink : reason),
    });
    this.#listener = this.#listen();
    try {
      this.process = startRunner({ instance: id, link: this.#socket, token: this.#token, file, functions });
    } catch (error) {
      this.#stopListening();
      throw error;
    }
    void this.process.ended.then((how) => this.#close(how));
  }

  get greeted(): boolean {
    return this.#greeted;
  }

  /** How its process ended, if it does within a moment, all by itself: known a little later than that its link did. */
  async death(): Promise<string | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), deathMs)));
    const how = await Promise.race([this.process.ended, late]);
    clearTimeout(timer);
    return how;
  }

  /** Ends it: at once, or gently: its link ends, and it has a while to remove what it made. Resolves when the process is gone. */
  async end(how: "at-once" | "gently"): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    if (how === "gently") {
      this.process.resume();
      this.channel.end();
      const timer = setTimeout(() => this.process.kill(), exitGraceMs);
      await this.process.ended;
      clearTimeout(timer);
    } else {
      this.process.kill();
      await this.process.ended;
    }
    this.channel.terminate("the instance is over");
  }

  #listen(): { stop(closeActive?: boolean): void } {
    let taken = false;
    const listener = Bun.listen<Channel>({
      unix: this.#socket,
      data: this.channel,
      socket: {
        ...channelSocket,
        open: (socket) => {
          if (taken) return void socket.terminate();
          taken = true;
          socket.data = this.channel;
          this.channel.attach(socket);
        },
      },
    });
    chmodSync(this.#socket, 0o600);
    return listener;
  }

  #greet(frame: Frame): void {
    const hello = frame.type === "hello" ? parseHead<HelloHead>(frame) : undefined;
    const fault = helloFault(hello, helloOf(this.#token, this.id));
    if (fault !== undefined) throw new Error(fault);
    this.#greeted = true;
    // Its only client has come.
    this.#stopListening();
    this.events.greeted();
  }

  #stopListening(): void {
    this.#listener.stop(!this.#greeted);
    rmSync(this.#socket, { force: true });
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.events.closed(reason);
  }
}
