/**
 * A runner's process with the link to it: started in a folder, greeted, and there until one of both ends. A spare is one
 * that nobody has loaded yet; an instance is one that was told what to serve.
 */
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Channel, channelSocket, peerClosed, runnerFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import { helloFault, helloOf } from "../link/hello.ts";
import type { DrainHead, HelloHead } from "../link/messages.ts";
import type { Confinement, RunnerProcess, Sandbox } from "../sandbox/sandbox.ts";
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
  /** What it is started in. */
  readonly sandbox: Sandbox;
  /** Of the instance that it is or will be: the runner's environment holds it. */
  readonly id: string;
  /** Where its socket is made: 0700, and short, because paths of sockets are. */
  readonly folder: string;
  /** What the runner runs. Default: its sources. */
  readonly file: string | undefined;
  /** It will run functions, or may. */
  readonly functions: boolean;
  /** The app whose instance it will be, where that is known. */
  readonly app?: Confinement | undefined;
}

/** Why a runner is over whose link has ended: it died, or it closed it. */
export const closedLink = "closed its link";
/** Between the end of a runner's link and that of its process, in ms, when it died. */
const deathMs = 50;
/** Beyond the grace in which a runner ends what it has started: until it must be gone itself. */
const exitGraceMs = 3_000;

const stop: DrainHead = { stop: true };

export class RunnerConnection {
  /** UUID of the instance that it is or will be. */
  readonly id: string;
  readonly channel: Channel;
  readonly process: RunnerProcess;
  events: RunnerEvents;

  readonly #token = crypto.randomUUID();
  readonly #socket: string;
  readonly #listener: { stop(closeActive?: boolean): void };
  #greeted = false;
  #closed = false;

  /**
   * Starts it.
   * @throws Error, with nothing left behind, when the socket or the process cannot be made.
   */
  constructor({ sandbox, id, folder, file, functions, app }: RunnerStart, events: RunnerEvents) {
    this.id = id;
    this.events = events;
    this.#socket = join(folder, "link.sock");
    this.channel = new Channel(runnerFrameBytesMax, {
      frame: (frame) => (this.#greeted ? this.events.frame(frame) : this.#greet(frame)),
      closed: (reason) => this.#over(reason === peerClosed ? closedLink : reason),
    });
    this.#listener = this.#listen();
    try {
      this.process = sandbox.start({ instance: id, link: this.#socket, token: this.#token, file, functions, app });
    } catch (error) {
      this.#stopListening();
      throw error;
    }
    void this.process.ended.then((how) => this.#over(how));
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

  /** Ends it at once. Resolves when the process is gone; what was made for it is still there. */
  async kill(): Promise<void> {
    this.#close();
    this.process.kill();
    await this.process.ended;
    this.channel.terminate("the instance is over");
  }

  /**
   * Tells it to end what it has started, to remove what it made, and to exit. Resolves as `kill`.
   * @param graceMs what it gives those that it ends; it is killed when it is not gone a while after that.
   */
  async finish(graceMs: number): Promise<void> {
    this.#close();
    this.process.resume();
    this.channel.send("drain", 0, stop);
    const timer = setTimeout(() => this.process.kill(), graceMs + exitGraceMs);
    await this.process.ended;
    clearTimeout(timer);
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

  #close(): void {
    this.#closed = true;
    this.#stopListening();
  }

  #over(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.events.closed(reason);
  }
}
