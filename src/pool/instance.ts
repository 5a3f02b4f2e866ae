/**
 * One running copy of an app: its folder, its control groups, its runner, the link to it, and the exchanges that are
 * under way on it. It starts whole or not at all, and when it ends, for whatever reason, nothing of it is left and every
 * exchange has been told.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import { Channel, channelSocket, runnerFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import { helloFault, helloOf } from "../link/hello.ts";
import type {
  HelloHead,
  LoadedHead,
  LoadHead,
  LogHead,
  ReceiptHead,
  ReplyHead,
  RequestHead,
  ResetHead,
  SampleHead,
  WindowHead,
} from "../link/messages.ts";
import { type InstanceGroups, makeInstanceGroups, removeInstanceGroups, type InstanceLimits } from "../sandbox/instance-groups.ts";
import { endLeftovers, type RunnerProcess, startRunner } from "../sandbox/process.ts";
import { type InstanceEvent, type InstanceState, transition } from "./instance-state.ts";

export interface InstanceOptions {
  /** Where the app's instances have their folders. */
  readonly folder: string;
  readonly limits: InstanceLimits;
  /** What the runner is told to serve. */
  readonly load: Omit<LoadHead, "instance" | "replySocket" | "siblings" | "memorySlots">;
}

export interface InstanceEvents {
  /** What long-running programs use now. */
  sample(sample: SampleHead): void;
  /** It is over, once; its exchanges have been told. */
  stopped(reason: string): void;
}

/** Who hears of an exchange. As the gateway's sink, without knowing the gateway. */
export interface ExchangeSink {
  taken(instance: string): void;
  reply(reply: ReplyHead, body: Uint8Array, last: boolean): void;
  data(chunk: Uint8Array, last: boolean): void;
  failed(reason: "runner-died" | "no-instance" | RunnerFailure, detail: string, advice?: string): void;
  /** A line that the program wrote. */
  output(stream: "stdout" | "stderr", text: string, cut: boolean): void;
  ended(receipt: ReceiptHead | undefined): void;
}

type RunnerFailure = Exclude<ResetHead["reason"], "deadline" | "client-left" | "shutdown" | "reply-refused">;
const runnerFailures: ReadonlySet<string> = new Set<RunnerFailure>([
  "no-reply",
  "spawn-failed",
  "argument-too-large",
  "bad-reply",
  "bad-request",
  "reply-aborted",
  "overloaded",
]);

export interface ExchangeHandle {
  consumed(bytes: number): void;
  verdict(status: 200 | 422, reasons?: Uint8Array): void;
  reset(reason: "deadline" | "client-left" | "shutdown" | "reply-refused"): void;
}

/** Why an instance never served. */
export class InstanceFailure extends Error {
  override readonly name = "InstanceFailure";
  /** "reply-socket-in-use": the configured reply socket belongs to another live host. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** From the runner's start until it serves. Above what the slowest machine needs: a Raspberry Pi 3 takes one second. */
const startTimeoutMs = 15_000;
/** From `drain` until the runner, which ends its programs within their grace, must be gone. */
const exitGraceMs = 5_000;

export class Instance {
  /** UUID, told to its programs as UROCKET_INSTANCE. */
  readonly id = crypto.randomUUID();
  /** Limits that this machine does not let us hold, as sentences. */
  readonly limitsNotHeld: readonly string[];

  readonly #events: InstanceEvents;
  readonly #folder: string;
  readonly #groups: InstanceGroups;
  readonly #load: LoadHead;
  readonly #channel: Channel;
  readonly #runner: RunnerProcess;
  readonly #exchanges = new Map<number, RunnerExchange>();
  readonly #started = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  readonly #startTimer: ReturnType<typeof setTimeout>;
  #listener: { stop(closeActive?: boolean): void } | undefined;
  #state: InstanceState = { at: "starting" };
  #greeted = false;
  #idleSince = performance.now();
  #lastExchange = 0;

  /**
   * Starts it. `ready` tells how that went.
   * @throws Error, with nothing left behind, when its folder, its link or its runner's process cannot be made.
   */
  constructor(options: InstanceOptions, events: InstanceEvents) {
    this.#events = events;
    // The last group of the UUID: paths of sockets are short.
    this.#folder = join(options.folder, this.id.slice(-12));
    mkdirSync(this.#folder, { mode: 0o700 });
    const { groups, notHeld } = makeInstanceGroups(this.id, options.limits);
    this.#groups = groups;
    this.limitsNotHeld = notHeld;
    this.#load = {
      ...options.load,
      instance: this.id,
      replySocket: join(this.#folder, "reply.sock"),
      siblings: options.folder,
      ...(groups.memorySlots === undefined ? {} : { memorySlots: groups.memorySlots }),
    };
    const token = crypto.randomUUID();
    this.#channel = new Channel(runnerFrameBytesMax, {
      frame: (frame) => this.#frame(frame, token),
      closed: (reason) => this.#stop(reason),
    });
    try {
      this.#runner = this.#listenAndStart(token);
    } catch (error) {
      this.#listener?.stop(true);
      this.#removeTraces();
      throw error;
    }
    this.#startTimer = setTimeout(() => this.#stop(`did not start within ${startTimeoutMs} ms`), startTimeoutMs);
    void this.#runner.ended.then((how) => this.#stop(`its runner ${how}`));
    // Whoever does not ask for readiness hears of the failure by `stopped`.
    this.#started.promise.catch(() => {});
  }

  get state(): InstanceState["at"] {
    return this.#state.at;
  }

  /** The runner's process. */
  get pid(): number {
    return this.#runner.pid;
  }

  /** Exchanges under way. */
  get open(): number {
    return this.#exchanges.size;
  }

  /** For how long it has had no exchange, in ms. */
  get idleMs(): number {
    return this.#exchanges.size > 0 ? 0 : performance.now() - this.#idleSince;
  }

  /** Resolves when it serves; rejects with the reason when it never will. */
  get ready(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves when nothing of it is left. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Hands it an exchange. */
  exchange(request: RequestHead, payload: Uint8Array, sink: ExchangeSink): ExchangeHandle {
    const number = this.#nextNumber();
    const exchange = new RunnerExchange(this.#channel, number, sink);
    this.#exchanges.set(number, exchange);
    this.#channel.exchangesOpen = this.#exchanges.size;
    sink.taken(this.id);
    try {
      exchange.body.open("request", request, payload, true);
    } catch (error) {
      // Its head does not fit into a frame: path and parameters are the client's, and JSON makes them longer.
      const why = error instanceof Error ? error.message : String(error);
      sink.failed("bad-request", `The request's path, parameters and query are too long together. ${why}`);
      this.#ended(exchange, undefined);
    }
    return exchange;
  }

  /** Lets it finish what it has, then stops it. Resolves when nothing of it is left. */
  drain(): Promise<void> {
    if (this.#step({ event: "drain" })) {
      this.#started.reject(new Error("was stopped before it had started"));
      this.#channel.send("drain", 0);
      this.#stopWhenIdle();
    }
    return this.over;
  }

  /** Ends it at once with all it runs. */
  async kill(reason: string): Promise<void> {
    this.#stop(reason);
    return this.over;
  }

  #listenAndStart(token: string): RunnerProcess {
    const unix = join(this.#folder, "link.sock");
    let taken = false;
    this.#listener = Bun.listen<Channel>({
      unix,
      data: this.#channel,
      socket: {
        ...channelSocket,
        open: (socket) => {
          if (taken) return void socket.terminate();
          taken = true;
          socket.data = this.#channel;
          this.#channel.attach(socket);
        },
      },
    });
    chmodSync(unix, 0o600);
    return startRunner({ instance: this.id, link: unix, token, groups: this.#groups });
  }

  #nextNumber(): number {
    do this.#lastExchange = (this.#lastExchange + 1) >>> 0;
    while (this.#lastExchange === 0 || this.#exchanges.has(this.#lastExchange));
    return this.#lastExchange;
  }

  #frame(frame: Frame, token: string): void {
    if (!this.#greeted) return this.#greet(frame, token);
    const exchange = this.#exchanges.get(frame.exchange);
    switch (frame.type) {
      case "loaded":
        return this.#loaded(parse<LoadedHead>(frame));
      case "log":
        return exchange?.output(frame);
      case "sample":
        return this.#events.sample(parse<SampleHead>(frame));
      case "receipt":
        if (exchange === undefined) return;
        // After a reset of ours there need be none; then nobody listens to this any more.
        exchange.unanswered("no-reply", "The app's instance ended the exchange without a reply");
        return this.#ended(exchange, parse<ReceiptHead>(frame));
      default:
        exchange?.frame(frame);
    }
  }

  #greet(frame: Frame, token: string): void {
    const hello = frame.type === "hello" ? parse<HelloHead>(frame) : undefined;
    const fault = helloFault(hello, helloOf(token, this.id));
    if (fault !== undefined) throw new Error(fault);
    this.#greeted = true;
    // Its only client has come.
    this.#listener?.stop();
    this.#channel.send("load", 0, undefined, Buffer.from(JSON.stringify(this.#load)), true);
  }

  #loaded(loaded: LoadedHead): void {
    if (!loaded.ok) return this.#stop(loaded.message, loaded.code);
    clearTimeout(this.#startTimer);
    if (this.#step({ event: "loaded" })) this.#started.resolve();
  }

  #ended(exchange: RunnerExchange, receipt: ReceiptHead | undefined): void {
    this.#exchanges.delete(exchange.number);
    this.#channel.exchangesOpen = this.#exchanges.size;
    if (this.#exchanges.size === 0) this.#idleSince = performance.now();
    exchange.sink.ended(receipt);
    this.#stopWhenIdle();
  }

  #stopWhenIdle(): void {
    if (this.#state.at === "draining" && this.#exchanges.size === 0) this.#stop("drained");
  }

  #step(event: InstanceEvent): boolean {
    const next = transition(this.#state, event);
    if (next !== undefined) this.#state = next;
    return next !== undefined;
  }

  #stop(reason: string, code?: string): void {
    const drained = this.#state.at === "draining" && this.#exchanges.size === 0;
    if (!this.#step({ event: "stopped", reason })) return;
    clearTimeout(this.#startTimer);
    this.#started.reject(new InstanceFailure(reason, code));
    for (const exchange of this.#exchanges.values()) {
      exchange.unanswered("runner-died", `The app's instance ended: ${reason}`);
      this.#ended(exchange, undefined);
    }
    void this.#cleanUp(drained).then(() => {
      this.#events.stopped(this.#reasonWithLastWords(reason));
      this.#over.resolve();
    });
  }

  #reasonWithLastWords(reason: string): string {
    const words = this.#runner.lastWords();
    return words === "" ? reason : `${reason}; its last words: ${words}`;
  }

  async #cleanUp(gently: boolean): Promise<void> {
    this.#listener?.stop(true);
    if (gently) {
      // The runner removes its reply sockets and exits when the link ends; it is given time for that, not for ever.
      this.#channel.end();
      const timer = setTimeout(() => this.#runner.kill(), exitGraceMs);
      await this.#runner.ended;
      clearTimeout(timer);
    } else {
      this.#runner.kill();
      await this.#runner.ended;
    }
    this.#channel.terminate("the instance is over");
    await endLeftovers(this.#runner.pid, this.id, this.#groups);
    this.#removeTraces();
  }

  #removeTraces(): void {
    removeInstanceGroups(this.#groups);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** An exchange as the host's end of the link sees it. What a runner says out of turn ends the link. */
class RunnerExchange implements ExchangeHandle {
  readonly number: number;
  readonly sink: ExchangeSink;
  readonly body: OutgoingBody;
  readonly #channel: Channel;
  readonly #credit: IncomingCredit;
  #replied: "no" | "begun" | "whole" | "failed" = "no";

  constructor(channel: Channel, number: number, sink: ExchangeSink) {
    this.#channel = channel;
    this.number = number;
    this.sink = sink;
    this.body = new OutgoingBody(channel, number);
    this.#credit = new IncomingCredit(channel, number);
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case "reply":
        if (this.#replied !== "no") throw new Error("a second reply to one exchange came");
        this.#receive(frame.body.byteLength);
        this.sink.reply(parse<ReplyHead>(frame), frame.body, frame.end);
        // Only now: a head that makes the sink throw ends the link, and then there was no reply.
        this.#replied = frame.end ? "whole" : "begun";
        return;
      case "data":
        if (this.#replied !== "begun") throw new Error("data of no reply came");
        if (frame.end) this.#replied = "whole";
        this.#receive(frame.body.byteLength);
        return this.sink.data(frame.body, frame.end);
      case "window":
        return this.body.grant(parse<WindowHead>(frame).bytes);
      case "reset":
        return this.#failed(parse<ResetHead>(frame));
      default:
        throw new Error(`a runner does not send ${frame.type}`);
    }
  }

  output(frame: Frame): void {
    const { stream, cut } = parse<LogHead>(frame);
    this.sink.output(stream === "stdout" ? "stdout" : "stderr", Buffer.from(frame.body).toString(), cut === true);
  }

  consumed(bytes: number): void {
    this.#credit.consumed(bytes);
  }

  verdict(status: 200 | 422, reasons?: Uint8Array): void {
    this.#channel.send("verdict", this.number, { status }, reasons, true);
  }

  reset(reason: "deadline" | "client-left" | "shutdown" | "reply-refused"): void {
    this.#channel.send("reset", this.number, { reason });
  }

  /** No reply comes any more, or no more of it: told where that is news. */
  unanswered(reason: "runner-died" | "no-reply", detail: string): void {
    if (this.#replied !== "whole" && this.#replied !== "failed") this.sink.failed(reason, detail);
  }

  #receive(bytes: number): void {
    if (!this.#credit.received(bytes)) throw new Error("more of a reply came than its window allows");
  }

  #failed(reset: ResetHead): void {
    if (this.#replied === "whole" || this.#replied === "failed") return;
    this.#replied = "failed";
    const reason = runnerFailures.has(reset.reason) ? (reset.reason as RunnerFailure) : "bad-reply";
    const advice = reset.advice === undefined ? undefined : String(reset.advice).slice(0, 2000);
    this.sink.failed(reason, String(reset.detail ?? "The program could not be run").slice(0, 2000), advice);
  }
}

/** A head of the runner, which is not trusted: what its fields are is checked where they are used. */
function parse<Head>(frame: Frame): Head {
  const head: unknown = JSON.parse(frame.head);
  if (typeof head !== "object" || head === null) throw new Error(`a ${frame.type} frame without a head came`);
  return head as Head;
}
