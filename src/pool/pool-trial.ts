/** A pool of real runners with functions of the test's own, and its work as promises. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReplyHead } from "../link/messages.ts";
import { processSandbox } from "../sandbox/process.ts";
import type { Confinement } from "../sandbox/sandbox.ts";
import type { StrayOutput } from "./instance.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import type { CallHandle, ConnectionFailure, ConnectionHandle, ConnectionSink, ExchangeSink, WorkFailure } from "./work.ts";

/** A call as the gateway would see it. */
export class TrialCall implements ExchangeSink {
  readonly words: string[] = [];
  readonly over = Promise.withResolvers<this>();
  instance: string | undefined;
  status: number | undefined;
  failure: WorkFailure | undefined;
  detail = "";
  bytes = 0;
  body = "";
  logged: string[] = [];
  handle: CallHandle | undefined;
  /** Of the reply's bytes, those that are not acknowledged. */
  held = false;
  onWritable = (): void => {};

  taken(instance: string): void {
    this.words.push("taken");
    this.instance = instance;
  }
  reply(reply: ReplyHead, body: Uint8Array): void {
    this.words.push("reply");
    this.status = reply.status;
    this.#take(body);
  }
  data(chunk: Uint8Array): void {
    this.#take(chunk);
  }
  failed(reason: WorkFailure, detail: string): void {
    this.words.push(`failed: ${reason}`);
    this.failure = reason;
    this.detail = detail;
  }
  writable(): void {
    this.onWritable();
  }
  output(line: { text: string }): void {
    this.logged.push(line.text);
  }
  ended(): void {
    this.words.push("ended");
    this.over.resolve(this);
  }

  #take(chunk: Uint8Array): void {
    this.bytes += chunk.byteLength;
    if (this.body.length < 10_000) this.body += Buffer.from(chunk).toString();
    if (!this.held) this.handle?.consumed(chunk.byteLength);
  }
}

/** A listener's client as the gateway would see it. */
export class TrialClient implements ConnectionSink {
  readonly over = Promise.withResolvers<this>();
  instance: string | undefined;
  answers = "";
  failure: ConnectionFailure | undefined;
  handle: ConnectionHandle | undefined;

  taken(instance: string): void {
    this.instance = instance;
  }
  data(chunk: Uint8Array): void {
    this.answers += Buffer.from(chunk).toString();
    this.handle?.consumed(chunk.byteLength);
  }
  writable(): void {}
  output(): void {}
  closed(failure?: ConnectionFailure): void {
    this.failure = failure;
    this.over.resolve(this);
  }

  say(lines: string, last = false): void {
    this.handle?.write(Buffer.from(lines), last);
  }
}

/** Of a trial app in a folder. */
export function confinementOf(folder: string, content: Partial<Confinement["content"]> = {}): Confinement {
  const all = { programs: false, functions: false, service: false, ...content };
  return { name: "trial", folder, limits: {}, content: all, network: "open" };
}

export interface TrialOptions extends Partial<Omit<PoolOptions, "folder" | "load">> {
  /** Functions by name, as source text. */
  readonly functions: Readonly<Record<string, string>>;
  readonly listener?: string;
  readonly callsMax?: number;
  /** Source text that runs when the functions are loaded. */
  readonly prelude?: string;
}

export class PoolTrial {
  readonly folder = mkdtempSync(join(tmpdir(), "pool-"));
  readonly pool: Pool;
  /** "asked: …" or "died: …", in order. */
  readonly stopped: string[] = [];
  /** `performance.now()` of each. */
  readonly stoppedAt: number[] = [];
  readonly stray: StrayOutput[] = [];
  readonly #names: readonly string[];

  constructor({ functions, listener, callsMax = 8, prelude = "", ...options }: TrialOptions) {
    this.#names = Object.keys(functions);
    // Users of containers are others.
    chmodSync(this.folder, 0o755);
    const bundle = join(this.folder, "functions.mjs");
    const lines = listener === undefined ? "" : `line: ${listener},`;
    const text = `${prelude}\nexport default [{ ${this.#names.map((name) => `${name}: ${functions[name]}`).join(",\n")},\n${lines} }];`;
    writeFileSync(bundle, text);
    mkdirSync(join(this.folder, "i"));
    this.pool = new Pool(
      {
        folder: join(this.folder, "i"),
        sandbox: processSandbox(),
        confinement: confinementOf(this.folder, { functions: true }),
        balance: "least-requests",
        scale: { min: 0, max: 1, idleMs: 60_000 },
        processors: 2,
        takesOverReplySocket: false,
        ...options,
        load: {
          app: "trial",
          programs: {},
          programsMax: 1,
          graceMs: 100,
          environment: {},
          functions: {
            bundle,
            folder: this.folder,
            env: [],
            calls: this.#names.map((name) => ({ operation: name, module: 0, export: name })),
            listeners: listener === undefined ? [] : [{ operation: "lines", module: 0, export: "line" }],
            callsMax,
          },
        },
      },
      {
        sample: () => {},
        output: (_instance, line) => void this.stray.push(line),
        health: () => {},
        stopped: (_instance, reason, expected) => {
          this.stopped.push(`${expected ? "asked" : "died"}: ${reason}`);
          this.stoppedAt.push(performance.now());
        },
      },
    );
  }

  call(name: string, { body = "", last = true, deadlineMs = 10_000 } = {}): TrialCall {
    const call = new TrialCall();
    const head = {
      call: this.#names.indexOf(name),
      id: crypto.randomUUID(),
      method: "POST",
      path: `/${name}`,
      query: "",
      host: "localhost",
      headers: [],
      deadline: Date.now() + deadlineMs,
      ...(body === "" && last ? {} : { body: "bytes" as const }),
    };
    call.handle = this.pool.call(head, Buffer.from(body), last, call);
    return call;
  }

  connect(): TrialClient {
    const client = new TrialClient();
    client.handle = this.pool.connect({ listener: 0, id: crypto.randomUUID(), timeoutMs: 10_000 }, client);
    return client;
  }

  async close(): Promise<void> {
    await this.pool.kill("the test is over");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
