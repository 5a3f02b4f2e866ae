/**
 * A runner's end of its link: says who it is, is told what to serve, and hands every frame to what it is for. What serves
 * programs, what serves functions and what runs a daemon are loaded when the app turns out to have some: an instance pays for what it uses.
 */
import { Channel, channelSocket, hostFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type { ConnectHead, DrainHead, HelloHead, LoadedHead, LoadHead, ResetHead, VerdictHead, WindowHead } from "../link/messages.ts";
import type { Functions } from "./functions.ts";
import { OpenExchanges } from "./open-exchanges.ts";
import type { ProgramExchanges } from "./program-exchanges.ts";
import type { Service } from "./service.ts";

/** How long programs may take to end, beyond their grace, when the host is gone. */
const lastEndMs = 1000;
/** A spare that is told nothing for so long after its greeting has time to prepare itself. */
const spareAfterMs = 20;

export class RunnerLink {
  readonly #exit: (status: number) => void;
  readonly #channel = new Channel(hostFrameBytesMax, {
    frame: (frame) => this.#frame(frame),
    closed: () => void this.#end(),
  });
  readonly #open = new OpenExchanges(this.#channel);
  #programs: ProgramExchanges | undefined;
  #functions: Functions | undefined;
  #service: Service | undefined;
  #spare: ReturnType<typeof setTimeout> | undefined;
  #graceMs = 0;
  #ended: Promise<void> | undefined;

  /** @param exit ends the process. */
  constructor(exit: (status: number) => void) {
    this.#exit = exit;
  }

  /**
   * @param isSpare it was started for nobody yet: it prepares itself, which costs a megabyte and a half.
   * @throws when the host does not listen.
   */
  async connect(link: string, hello: HelloHead, isSpare: boolean): Promise<void> {
    await Bun.connect({ unix: link, data: this.#channel, socket: { ...channelSocket, open: (socket) => this.#channel.attach(socket) } });
    this.#channel.send("hello", 0, hello);
    if (isSpare) this.#spare = setTimeout(() => void this.#prepare(), spareAfterMs);
  }

  #frame(frame: Frame): void {
    switch (frame.type) {
      case "call":
        return this.#functions?.call(frame);
      case "data":
        return this.#open.get(frame.exchange)?.data(frame.body, frame.end);
      case "window":
        return this.#open.get(frame.exchange)?.granted((JSON.parse(frame.head) as WindowHead).bytes);
      case "connect":
        return this.#connect(frame);
      case "request":
        return this.#programs?.request(frame);
      case "reset":
        return this.#open.get(frame.exchange)?.reset(JSON.parse(frame.head) as ResetHead);
      case "verdict":
        return this.#open.get(frame.exchange)?.verdict((JSON.parse(frame.head) as VerdictHead).status, frame.body);
      case "ping":
        return this.#channel.send("pong", 0);
      case "doubt":
        return this.#service?.doubt();
      case "load":
        return void this.#load(JSON.parse(Buffer.from(frame.body).toString()) as LoadHead);
      case "drain":
        return this.#drain(frame.head === "" ? {} : (JSON.parse(frame.head) as DrainHead));
      default:
      // Nothing else is the host's to say.
    }
  }

  #connect(frame: Frame): void {
    const head = JSON.parse(frame.head) as ConnectHead;
    if (head.listener !== undefined) return this.#functions?.connect(frame, head, head.listener);
    if (this.#service !== undefined) return this.#service.connect(frame);
    this.#channel.send("reset", frame.exchange, { reason: "no-reply", detail: "This instance has no service" } satisfies ResetHead);
  }

  /** The host sends no more requests. When the last is over it says so, or just closes the link. */
  #drain({ stop }: DrainHead): void {
    this.#service?.drain();
    if (stop === true) void this.stop();
  }

  async #load(load: LoadHead): Promise<void> {
    clearTimeout(this.#spare);
    this.#graceMs = Math.max(load.graceMs, load.service?.graceMs ?? 0);
    await this.#startService(load);
    // Programs last: they may take over a reply socket, and what fails before leaves it with whom it belongs to.
    const failure = (await this.#loadFunctions(load)) ?? (await this.#service?.started) ?? (await this.#loadPrograms(load));
    // Ended meanwhile, when there were no programs yet.
    if (this.#ended !== undefined) return this.#programs?.end();
    this.#channel.send("loaded", 0, failure ?? this.#ready());
  }

  #ready(): LoadedHead {
    const fetches = this.#functions?.fetches ?? [];
    const servicePort = this.#service?.port;
    return { ok: true, ...(fetches.length === 0 ? {} : { fetches }), ...(servicePort === undefined ? {} : { servicePort }) };
  }

  /** Only begins: it comes up while the rest is loaded. */
  async #startService(load: LoadHead): Promise<void> {
    if (load.service === undefined) return;
    const { Service } = await import("./service.ts");
    if (this.#ended !== undefined) return;
    this.#service = new Service(load.service, load, this.#channel, this.#open, () => void this.stop());
  }

  async #loadFunctions(load: LoadHead): Promise<LoadedHead | undefined> {
    if (load.functions === undefined) return undefined;
    const { Functions } = await import("./functions.ts");
    const loaded = await Functions.load(load.functions, load, this.#channel, this.#open);
    if (!loaded.ok) return loaded;
    this.#functions = loaded.functions;
    return undefined;
  }

  async #loadPrograms(load: LoadHead): Promise<LoadedHead | undefined> {
    if (Object.keys(load.programs).length === 0 || this.#ended !== undefined) return undefined;
    const { ProgramExchanges } = await import("./program-exchanges.ts");
    const loaded = await ProgramExchanges.load(load, this.#channel, this.#open);
    if (!loaded.ok) return loaded;
    this.#programs = loaded.programs;
    return undefined;
  }

  async #prepare(): Promise<void> {
    const { warmUp } = await import("./warm-up.ts");
    warmUp();
  }

  /** Ends all that runs while the link is still there to tell of it, then the link. */
  async stop(): Promise<void> {
    await this.#endAll();
    this.#channel.end();
  }

  /** The link is gone: so is everything else. */
  async #end(): Promise<void> {
    await this.#endAll();
    this.#exit(0);
  }

  /** Once; whoever asks again waits for the same end. */
  #endAll(): Promise<void> {
    return (this.#ended ??= this.#endEverything());
  }

  async #endEverything(): Promise<void> {
    clearTimeout(this.#spare);
    setTimeout(() => this.#exit(1), this.#graceMs + lastEndMs);
    this.#functions?.end();
    await Promise.all([this.#programs?.end(), this.#service?.end()]);
  }
}
