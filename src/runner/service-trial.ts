/** For tests: a real runner process with a daemon, and the host's end of its link. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DrainHead, LoadedHead, LoadHead, ServiceSpec } from "../link/messages.ts";
import { FunctionTrial, type HeardCall, type LogLine } from "./function-trial.ts";

export interface ServiceTrialOptions {
  /** The daemon's source: TypeScript that Bun runs. */
  readonly script?: string;
  /** Functions of the same app. Default: it has none. */
  readonly functions?: string;
  readonly spec?: Partial<ServiceSpec>;
  readonly load?: Partial<LoadHead>;
  /** Of the runner. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Listens where it is told, and answers each path by its name. */
export const helloDaemon = `
  const server = Bun.serve({
    hostname: process.env.HOST,
    port: Number(process.env.PORT),
    fetch: (request) => new Response(new URL(request.url).pathname),
  });
  console.log("listening on " + server.port);
  process.on("SIGTERM", () => { console.log("leaving"); process.exit(0); });
`;

export class ServiceTrial implements AsyncDisposable {
  readonly trial: FunctionTrial;
  readonly instance = crypto.randomUUID();

  private constructor(trial: FunctionTrial) {
    this.trial = trial;
  }

  /** A runner that was told to serve a daemon, and what it said to that. */
  static async start(options: ServiceTrialOptions): Promise<{ readonly service: ServiceTrial; readonly loaded: LoadedHead }> {
    const { service, loaded } = await ServiceTrial.begin(options);
    return { service, loaded: await loaded };
  }

  /** As `start`, and does not wait for what it says. */
  static async begin(options: ServiceTrialOptions): Promise<{ readonly service: ServiceTrial; readonly loaded: Promise<LoadedHead> }> {
    const service = new ServiceTrial(await FunctionTrial.spare(options.environment));
    return { service, loaded: service.#load(options) };
  }

  /** A runner whose daemon is ready; fails when it is not. */
  static async open(options: ServiceTrialOptions): Promise<ServiceTrial> {
    const { service, loaded } = await ServiceTrial.start(options);
    if (loaded.ok) return service;
    await service[Symbol.asyncDispose]();
    throw new Error(loaded.message);
  }

  #load({ script = helloDaemon, functions, spec, load }: ServiceTrialOptions): Promise<LoadedHead> {
    const file = join(this.folder, "daemon.ts");
    writeFileSync(file, script);
    const service: ServiceSpec = {
      argv: [process.execPath, file],
      wd: this.folder,
      env: [],
      host: "127.0.0.1",
      reach: "127.0.0.1",
      health: { path: "/health", everyMs: 60_000, timeoutMs: 2000, failuresMax: 3 },
      startTimeoutMs: 20_000,
      graceMs: 5000,
      ...spec,
    };
    const whole = { instance: this.instance, service, ...load };
    return this.trial.load(
      functions === undefined ? { files: {}, functions: "none", load: whole } : { files: { "functions.ts": functions }, load: whole },
    );
  }

  get folder(): string {
    return this.trial.folder;
  }

  /** What the daemon has written, and what was said of it. */
  get lines(): readonly string[] {
    return this.trial.logs.map(({ text }) => text);
  }

  get logs(): readonly LogLine[] {
    return this.trial.logs;
  }

  get port(): Promise<number> {
    return this.trial.loaded.promise.then((loaded) => (loaded.ok ? (loaded.servicePort ?? 0) : 0));
  }

  /** Asks the daemon itself. */
  async get(path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${await this.port}${path}`);
    return response.text();
  }

  connect(bytes: string | Uint8Array = "", last = false): HeardCall {
    return this.trial.connectService(bytes, last);
  }

  /** Tells the runner that nothing is open, so that it ends everything; resolves when it is gone. */
  async stop(): Promise<void> {
    this.trial.channel.send("drain", 0, { stop: true } satisfies DrainHead);
    await this.trial.gone.promise;
    await this.trial.exited();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Gently: the runner ends its daemon, which would outlive a kill.
    this.trial.channel.terminate("test over");
    await this.trial.exited();
    await this.trial[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
