/**
 * An instance's service: the app's daemon, brought up, looked after and ended. Its end is the instance's: the host replaces it.
 * Loaded only where an app has one.
 */
import type { Channel } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type { HealthHead, LoadedHead, LoadHead, ResetHead, ServiceSpec } from "../link/messages.ts";
import type { Daemon } from "./daemon.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { ServiceConnection } from "./service-connection.ts";
import { afterLook, type Look, wellAtFirst } from "./service-health.ts";
import { ServiceLog } from "./service-log.ts";
import { lookAt } from "./service-look.ts";
import { lateWords } from "./service-words.ts";
import type { ServicePort } from "./service-port.ts";
import { lookedAt, startService } from "./service-start.ts";

/** starting → ready → ended by itself; and from each of them to ending, when the instance ends. */
type State = { readonly at: "starting" | "ending" | "ended" } | { readonly at: "ready"; readonly port: number };

export class Service {
  readonly #spec: ServiceSpec;
  readonly #channel: Channel;
  readonly #open: OpenExchanges;
  readonly #log: ServiceLog;
  readonly #givenUp = new AbortController();
  readonly #ended: () => void;
  #state: State = { at: "starting" };
  #health = wellAtFirst;
  #daemon: Daemon | undefined;
  #port: ServicePort | undefined;
  #nextLook: ReturnType<typeof setTimeout> | undefined;
  #isLooking = false;
  /** That its port takes connections says nothing: the kernel does that for a process that is stopped. */
  #isDoubted = false;
  /** Resolves when it is ready; to the failure, when it cannot be made so. */
  readonly started: Promise<(LoadedHead & { readonly ok: false }) | undefined>;

  /**
   * Starts it.
   * @param ended it has ended by itself after it was ready: the instance ends with it.
   */
  constructor(spec: ServiceSpec, load: LoadHead, channel: Channel, open: OpenExchanges, ended: () => void) {
    this.#spec = spec;
    this.#channel = channel;
    this.#open = open;
    this.#ended = ended;
    this.#log = new ServiceLog(channel);
    this.started = this.#start(load);
  }

  /** Where it listens; undefined: it is not ready. */
  get port(): number | undefined {
    return this.#state.at === "ready" ? this.#state.port : undefined;
  }

  /** Opens a connection to it. */
  connect(frame: Frame): void {
    if (this.#state.at !== "ready")
      return this.#channel.send("reset", frame.exchange, { reason: "no-reply", detail: "It is not ready" } satisfies ResetHead);
    const connection = new ServiceConnection(this.#channel, this.#open, frame.exchange);
    connection.data(frame.body, frame.end);
    void connection.connect(this.#spec.reach, this.#state.port);
  }

  /** It has said nothing to some requests of the host's in a row. Without a health path it is asked at once whether it says anything. */
  doubt(): void {
    if (this.#state.at !== "ready" || this.#nextLook === undefined || this.#spec.health.path !== undefined || this.#isDoubted) return;
    this.#isDoubted = true;
    clearTimeout(this.#nextLook);
    if (!this.#isLooking) void this.#look(this.#state.port);
  }

  /** No request follows: how it is decides nothing any more. */
  drain(): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = undefined;
  }

  /** Ends it with all that it started: TERM, and KILL after its grace. */
  async end(): Promise<void> {
    if (this.#state.at !== "ended") this.#state = { at: "ending" };
    this.drain();
    this.#givenUp.abort();
    await this.started;
    const late = await this.#daemon?.end(this.#spec.graceMs);
    // Nobody would know otherwise why each stop and each reload takes that long.
    if (late === "daemon" || late === "others") this.#log.warn(lateWords(late, this.#spec.graceMs));
    this.#log.end();
    this.#port?.release();
  }

  async #start(load: LoadHead): Promise<(LoadedHead & { readonly ok: false }) | undefined> {
    const started = await startService({
      spec: this.#spec,
      load,
      log: this.#log,
      signal: this.#givenUp.signal,
      started: (daemon, port) => {
        this.#daemon = daemon;
        this.#port = port;
      },
    });
    if (!started.ok) return started;
    if (this.#state.at !== "starting") return { ok: false, message: "was ended before its service was ready" };
    this.#state = { at: "ready", port: started.port };
    void started.daemon.exited.then(() => this.#exited(started.daemon));
    this.#planLook(started.port);
    return undefined;
  }

  #exited(daemon: Daemon): void {
    if (this.#state.at !== "ready") return;
    this.#state = { at: "ended" };
    this.drain();
    const { words, limit } = daemon.ending;
    const lastWords = this.#log.lastWords();
    this.#tell({
      state: "ended",
      detail: words,
      ...(lastWords === "" ? {} : { lastWords }),
      ...(limit === undefined ? {} : { limit }),
    });
    this.#ended();
  }

  #planLook(port: number): void {
    const isUrgent = this.#isDoubted && this.#health.at === "well";
    this.#nextLook = setTimeout(() => void this.#look(port), isUrgent ? 0 : this.#spec.health.everyMs);
  }

  async #look(port: number): Promise<void> {
    const isDoubted = this.#isDoubted;
    this.#isLooking = true;
    const look = await lookAt({ ...lookedAt(this.#spec, port), isDoubted });
    this.#isLooking = false;
    // Drained, or ended, while it was looked at.
    if (this.#nextLook === undefined) return;
    if (isDoubted && look.well) this.#isDoubted = false;
    this.#judge(look);
    this.#planLook(port);
  }

  #judge(look: Look): void {
    const before = this.#health;
    this.#health = afterLook(before, look, this.#spec.health.failuresMax);
    if (this.#health.at === before.at) return;
    this.#tell(look.well ? { state: "well" } : { state: "failing", detail: look.detail });
  }

  #tell(head: HealthHead): void {
    this.#channel.send("health", 0, head);
  }
}
