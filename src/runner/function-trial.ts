/** For tests: a real runner process with functions from source text, and the host's end of its link. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import { Channel, channelSocket, runnerFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type {
  AbandonedHead,
  CallHead,
  ConnectHead,
  FunctionsSpec,
  HealthHead,
  LoadedHead,
  LoadHead,
  LogHead,
  ReplyHead,
  ResetHead,
  WindowHead,
} from "../link/messages.ts";

export interface FunctionTrialOptions {
  /** Files by name; "functions.ts" has the exports. */
  readonly files: Readonly<Record<string, string>>;
  /** Exports that `call` names by their position. Default: those that `functions.ts` has, as the text says. */
  readonly calls?: readonly string[];
  readonly listeners?: readonly string[];
  /** "none": the app has no functions. */
  readonly functions?: Partial<FunctionsSpec> | "none";
  readonly load?: Partial<LoadHead>;
}

export interface LogLine extends LogHead {
  readonly text: string;
}

const runnerFile = join(import.meta.dir, "main.ts");

/** One exchange on the link, as the host hears of it. Credit is given at once unless `grants` is false. */
export class HeardCall {
  readonly number: number;
  head: ReplyHead | undefined;
  resetHead: ResetHead | undefined;
  ended = false;
  bytes = 0;
  /** Bytes that the runner said it has consumed. */
  granted = 0;
  grants = true;
  keeps = true;
  readonly chunks: Buffer[] = [];
  readonly credit: IncomingCredit;
  readonly outgoing: OutgoingBody;
  readonly over = Promise.withResolvers<void>();
  onData: (() => void) | undefined;

  constructor(channel: Channel, number: number) {
    this.number = number;
    this.credit = new IncomingCredit(channel, number);
    this.outgoing = new OutgoingBody(channel, number);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  get json(): unknown {
    return JSON.parse(this.text) as unknown;
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case "reply":
        this.head = JSON.parse(frame.head) as ReplyHead;
        return this.#data(frame);
      case "data":
        return this.#data(frame);
      case "window": {
        const { bytes } = JSON.parse(frame.head) as WindowHead;
        this.granted += bytes;
        return this.outgoing.grant(bytes);
      }
      case "reset":
        this.resetHead = JSON.parse(frame.head) as ResetHead;
        return this.over.resolve();
      default:
        throw new Error(`${frame.type} came`);
    }
  }

  #data({ body, end }: Frame): void {
    if (!this.credit.received(body.byteLength)) throw new Error("more came than was granted");
    if (this.grants) this.credit.consumed(body.byteLength);
    if (this.keeps) this.chunks.push(Buffer.from(body));
    this.bytes += body.byteLength;
    this.ended ||= end;
    this.onData?.();
    if (end) this.over.resolve();
  }
}

export class FunctionTrial implements AsyncDisposable {
  readonly folder: string;
  readonly logs: LogLine[] = [];
  readonly abandoned: number[] = [];
  readonly health: HealthHead[] = [];
  readonly channel: Channel;
  readonly greeted = Promise.withResolvers<void>();
  readonly loaded = Promise.withResolvers<LoadedHead>();
  readonly gone = Promise.withResolvers<string>();
  readonly #open = new Map<number, HeardCall>();
  readonly #waiting: (() => void)[] = [];
  #child: Bun.Subprocess | undefined;
  #listener: { stop(closeActive?: boolean): void } | undefined;
  #last = 0;
  #pongs = 0;

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "urocket-functions-"));
    this.channel = new Channel(runnerFrameBytesMax, {
      frame: (frame) => this.#frame(frame),
      closed: (reason) => this.gone.resolve(reason),
    });
  }

  /** A runner that serves the functions; fails when it cannot load them. */
  static async open(source: string | FunctionTrialOptions): Promise<FunctionTrial> {
    const options = typeof source === "string" ? { files: { "functions.ts": source } } : source;
    const trial = new FunctionTrial();
    await trial.start();
    const loaded = await trial.load(options);
    if (loaded.ok) return trial;
    await trial[Symbol.asyncDispose]();
    throw new Error(loaded.message);
  }

  /** A runner that has not been told anything yet: a spare. */
  static async spare(environment: Readonly<Record<string, string>> = {}): Promise<FunctionTrial> {
    const trial = new FunctionTrial();
    await trial.start(environment);
    return trial;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const unix = join(this.folder, "link.sock");
    this.#listener = Bun.listen({
      unix,
      data: this.channel,
      socket: { ...channelSocket, open: (socket) => socket.data.attach(socket) },
    });
    this.#child = Bun.spawn({
      cmd: [process.execPath, "--no-env-file", "--no-install", "--config=/dev/null", runnerFile],
      cwd: "/",
      env: { UROCKET_LINK: unix, UROCKET_TOKEN: "secret", UROCKET_INSTANCE: "instance-1", ...environment },
      stdio: ["ignore", "ignore", "inherit"],
    });
    await this.greeted.promise;
  }

  /** Makes a bundle of functions as a build does. @returns its path. */
  async bundle(files: Readonly<Record<string, string>>, options: readonly string[]): Promise<string> {
    this.#write(files);
    const bundler = Bun.spawn({
      cmd: [
        process.execPath,
        "build",
        join(this.folder, "bundle.ts"),
        "--target=bun",
        ...options,
        `--outdir=${join(this.folder, "built")}`,
      ],
      stdio: ["ignore", "ignore", "inherit"],
    });
    if ((await bundler.exited) !== 0) throw new Error("cannot bundle");
    return join(this.folder, "built", "bundle.js");
  }

  load({ files, calls, listeners = [], functions, load }: FunctionTrialOptions): Promise<LoadedHead> {
    const bundle = this.#write(files);
    const names =
      calls ??
      [...(files["functions.ts"] ?? "").matchAll(/\bexport (?:async function|function|const) (\w+)/g)].map((match) => match[1] ?? "");
    const spec = (name: string) => ({ operation: `GET /${name}`, module: 0, export: name });
    const head: LoadHead = {
      app: "trial",
      instance: "instance-1",
      replySocket: join(this.folder, "reply.sock"),
      siblings: this.folder,
      programs: {},
      programsMax: 32,
      graceMs: 200,
      environment: { PATH: "/usr/bin:/bin" },
      ...(functions === "none"
        ? {}
        : {
            functions: {
              bundle,
              folder: this.folder,
              env: [],
              calls: names.map(spec),
              listeners: listeners.map((name) => ({ operation: "tcp:1234", module: 0, export: name })),
              callsMax: 100,
              ...functions,
            },
          }),
      ...load,
    };
    this.channel.send("load", 0, undefined, Buffer.from(JSON.stringify(head)), true);
    return Promise.race([
      this.loaded.promise,
      this.gone.promise.then((message): LoadedHead => ({ ok: false, message: `the runner is gone: ${message}` })),
    ]);
  }

  /** Opens a call; its body may follow by `outgoing` of what is returned. */
  call(call: number, head: Partial<CallHead> = {}, body?: string | Uint8Array, last = true): HeardCall {
    const heard = new HeardCall(this.channel, ++this.#last);
    this.#open.set(heard.number, heard);
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const whole: CallHead = {
      call,
      id: `id-${heard.number}`,
      method: bytes === undefined ? "GET" : "POST",
      path: "/x",
      query: "",
      host: "example.test",
      headers: ["host", "example.test"],
      deadline: Date.now() + 30_000,
      ...(bytes === undefined ? {} : { body: "json" as const }),
      ...head,
    };
    heard.outgoing.open("call", whole, bytes ?? new Uint8Array(), last);
    return heard;
  }

  /** As `call`, and waits for its end. */
  async answer(call: number, head: Partial<CallHead> = {}, body?: string | Uint8Array): Promise<HeardCall> {
    const heard = this.call(call, head, body);
    await heard.over.promise;
    return heard;
  }

  connect(lines = "", last = false, head: Partial<ConnectHead> = {}): HeardCall {
    const heard = new HeardCall(this.channel, ++this.#last);
    this.#open.set(heard.number, heard);
    heard.outgoing.open("connect", { listener: 0, id: `id-${heard.number}`, timeoutMs: 5000, ...head }, Buffer.from(lines), last);
    return heard;
  }

  /** Opens a connection to the daemon. */
  connectService(bytes: string | Uint8Array = "", last = false): HeardCall {
    const heard = new HeardCall(this.channel, ++this.#last);
    this.#open.set(heard.number, heard);
    const first = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    heard.outgoing.open("connect", { id: `id-${heard.number}`, timeoutMs: 5000 } satisfies ConnectHead, first, last);
    return heard;
  }

  reset(heard: HeardCall, reason: ResetHead["reason"] = "client-left"): void {
    this.channel.send("reset", heard.number, { reason } satisfies ResetHead);
  }

  /** Asks whether it is there, and waits for the answer. */
  async ping(): Promise<void> {
    const pongs = this.#pongs;
    this.channel.send("ping", 0);
    await this.until(() => this.#pongs > pongs);
  }

  /** Waits until something of what the runner says makes it true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.terminate("test over");
    this.#listener?.stop(true);
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** When the process has ended: its exit code, or the signal. */
  async exited(): Promise<number | string | null> {
    await this.#child?.exited;
    return this.#child?.signalCode ?? this.#child?.exitCode ?? null;
  }

  #write(files: Readonly<Record<string, string>>): string {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
    const bundle = join(this.folder, "bundle.ts");
    writeFileSync(bundle, `import * as functions from "./functions.ts";\nexport default [functions];\n`);
    return bundle;
  }

  #frame(frame: Frame): void {
    switch (frame.type) {
      case "hello":
        this.greeted.resolve();
        break;
      case "loaded":
        this.loaded.resolve(JSON.parse(frame.head) as LoadedHead);
        break;
      case "log":
        this.logs.push({ ...(JSON.parse(frame.head) as LogHead), text: Buffer.from(frame.body).toString() });
        break;
      case "abandoned":
        this.abandoned.push((JSON.parse(frame.head) as AbandonedHead).calls);
        break;
      case "health":
        this.health.push(JSON.parse(frame.head) as HealthHead);
        break;
      case "pong":
        this.#pongs++;
        break;
      default:
        this.#open.get(frame.exchange)?.frame(frame);
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
