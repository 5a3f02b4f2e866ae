/**
 * A sandbox whose runners are in the test's own process, at the other end of a real link: they say what the test has them say. What a
 * container does that a process does not is tried with it, and what a real runner never does.
 */
import { runnerFrameBytesMax, Channel, channelSocket } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import { helloOf } from "../link/hello.ts";
import type { HealthHead, LoadedHead, LoadHead } from "../link/messages.ts";
import type { Confined, Confinement, InstanceUsage, RunnerOptions, RunnerProcess, Sandbox } from "../sandbox/sandbox.ts";

export interface TrialTerms {
  readonly kind?: Sandbox["kind"];
  /** What a runner is confined to. Default: as a process is. */
  readonly confined?: Omit<Confined, "notHeld">;
  /** What it says to its load, and when. Default: that its daemon listens on port 1, at once. */
  readonly loaded?: LoadedHead | Promise<LoadedHead>;
  readonly usage?: InstanceUsage;
  /** Whether runners that wait can be this app's. Default: yes. */
  readonly takesSpare?: (app: Confinement) => boolean;
}

const asProcess: Omit<Confined, "notHeld"> = { inside: (path) => path, ownNetwork: false };

export class TrialSandbox implements Sandbox {
  readonly kind: Sandbox["kind"];
  readonly takesSpare: (app: Confinement) => boolean;
  /** All that were started, in order. */
  readonly runners: TrialRunner[] = [];
  /** Of runners that will be started. */
  terms: TrialTerms;

  constructor(terms: TrialTerms = {}) {
    this.terms = terms;
    this.kind = terms.kind ?? "process";
    this.takesSpare = terms.takesSpare ?? ((): boolean => true);
  }

  start(options: RunnerOptions): TrialRunner {
    const runner = new TrialRunner(options, this.terms);
    this.runners.push(runner);
    return runner;
  }

  /** Of an instance. */
  runner(instance: string): TrialRunner {
    const found = this.runners.find(({ options }) => options.instance === instance);
    if (found === undefined) throw new Error(`No runner is that of ${instance}`);
    return found;
  }
}

export class TrialRunner implements RunnerProcess {
  readonly pid = undefined;
  readonly ended: Promise<string>;
  readonly options: RunnerOptions;
  /** What it was asked, in order: "confine", "pause", "resume", "kill", "remove". */
  readonly asked: string[] = [];
  /** Types of the frames that came, and their exchanges. */
  readonly frames: string[] = [];
  load: LoadHead | undefined;
  readonly #terms: TrialTerms;
  readonly #ended = Promise.withResolvers<string>();
  readonly #channel: Channel;

  constructor(options: RunnerOptions, terms: TrialTerms) {
    this.options = options;
    this.#terms = terms;
    this.ended = this.#ended.promise;
    this.#channel = new Channel(runnerFrameBytesMax * 64, {
      frame: (frame) => this.#frame(frame),
      // The link tells first, as that of a container.
      closed: () => void setTimeout(() => this.#ended.resolve("exited with status 0"), 1),
    });
    const socket = { ...channelSocket, open: (opened: Bun.Socket<Channel>) => this.#greet(opened) };
    // Its host may be gone before it is there.
    Bun.connect({ unix: options.link, data: this.#channel, socket }).catch(() => this.#channel.terminate("cannot connect"));
  }

  kill(): void {
    this.asked.push("kill");
    this.#channel.terminate("killed");
  }

  pause(): void {
    this.asked.push("pause");
  }

  resume(): void {
    this.asked.push("resume");
  }

  lastWords(): string {
    return "";
  }

  async confine(): Promise<Confined> {
    this.asked.push("confine");
    return { notHeld: [], ...(this.#terms.confined ?? asProcess) };
  }

  usage(): InstanceUsage {
    return this.#terms.usage ?? {};
  }

  async remove(): Promise<void> {
    this.asked.push("remove");
  }

  /** Its daemon is well, or is not. */
  tell(health: HealthHead): void {
    this.#channel.send("health", 0, health);
  }

  /** It is gone without a word. */
  die(): void {
    this.#channel.terminate("died");
  }

  #greet(socket: Bun.Socket<Channel>): void {
    this.#channel.attach(socket);
    this.#channel.send("hello", 0, helloOf(this.options.token, this.options.instance));
  }

  async #answerLoad(): Promise<void> {
    this.#channel.send("loaded", 0, (await this.#terms.loaded) ?? { ok: true, servicePort: 1 });
  }

  #frame(frame: Frame): void {
    this.frames.push(`${frame.type} ${frame.exchange}`);
    switch (frame.type) {
      case "load":
        this.load = JSON.parse(Buffer.from(frame.body).toString()) as LoadHead;
        return void this.#answerLoad();
      case "ping":
        return this.#channel.send("pong", 0);
      case "data":
        // A daemon that says what it hears.
        return this.#channel.send("data", frame.exchange, undefined, frame.body, frame.end);
      case "drain":
        if (frame.head.includes("stop")) this.#channel.end();
        return;
      default:
    }
  }
}
