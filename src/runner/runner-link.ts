/**
 * A runner's end of its link: says who it is, is told what to serve, and hands every frame to what it is for. What serves
 * programs and what serves functions are loaded when the app turns out to have some: an instance pays for what it uses.
 */
import { Channel, channelSocket, hostFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type { HelloHead, LoadedHead, LoadHead, ResetHead, VerdictHead, WindowHead } from "../link/messages.ts";
import type { Functions } from "./functions.ts";
import { OpenExchanges } from "./open-exchanges.ts";
import type { ProgramExchanges } from "./program-exchanges.ts";

/** How long programs may take to end, beyond their grace, when the host is gone. */
const lastEndMs = 1000;
/** A runner that is told nothing for so long after its greeting is a spare: it has time to prepare itself. */
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
  #spare: ReturnType<typeof setTimeout> | undefined;
  #graceMs = 0;

  /** @param exit ends the process. */
  constructor(exit: (status: number) => void) {
    this.#exit = exit;
  }

  /** @throws when the host does not listen. */
  async connect(link: string, hello: HelloHead): Promise<void> {
    await Bun.connect({ unix: link, data: this.#channel, socket: { ...channelSocket, open: (socket) => this.#channel.attach(socket) } });
    this.#channel.send("hello", 0, hello);
    this.#spare = setTimeout(() => void this.#prepare(), spareAfterMs);
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
        return this.#functions?.connect(frame);
      case "request":
        return this.#programs?.request(frame);
      case "reset":
        return this.#open.get(frame.exchange)?.reset(JSON.parse(frame.head) as ResetHead);
      case "verdict":
        return this.#open.get(frame.exchange)?.verdict((JSON.parse(frame.head) as VerdictHead).status, frame.body);
      case "ping":
        return this.#channel.send("pong", 0);
      case "load":
        return void this.#load(JSON.parse(Buffer.from(frame.body).toString()) as LoadHead);
      default:
      // "drain": the host sends no more requests and closes the link when the last is over.
    }
  }

  async #load(load: LoadHead): Promise<void> {
    clearTimeout(this.#spare);
    this.#graceMs = load.graceMs;
    const failure = (await this.#loadFunctions(load)) ?? (await this.#loadPrograms(load));
    if (this.#channel.closed) return this.#end();
    this.#channel.send("loaded", 0, failure ?? this.#ready());
  }

  #ready(): LoadedHead {
    const fetches = this.#functions?.fetches ?? [];
    return fetches.length === 0 ? { ok: true } : { ok: true, fetches };
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
    if (Object.keys(load.programs).length === 0) return undefined;
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

  /** The link is gone: so is everything else. */
  async #end(): Promise<void> {
    clearTimeout(this.#spare);
    setTimeout(() => this.#exit(1), this.#graceMs + lastEndMs);
    this.#functions?.end();
    await this.#programs?.end();
    this.#exit(0);
  }
}
