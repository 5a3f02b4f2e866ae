/**
 * A runner for tests: loaded with programs in a folder of its own, spoken to without a link. Everything real but the
 * host: programs, sockets, pipes, control groups where they can be made.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadHead, ProgramSpec, ReceiptHead, ReplyHead, RequestHead, ResetHead, SampleHead } from "../link/messages.ts";
import { type InstanceGroups, limitGroups, makeGroups, removeInstanceGroups } from "../sandbox/instance-groups.ts";
import type { Exchange, ExchangeHost } from "./exchange.ts";
import { Runner } from "./runner.ts";

export interface TrialOptions {
  /** Shell scripts by operation, or whole specs. */
  readonly programs: Readonly<Record<string, string | Partial<ProgramSpec>>>;
  readonly load?: Partial<LoadHead>;
  /** Whether memory slots are used, where they can be made. Default true. */
  readonly slots?: boolean;
  /** Of the programs together, where it can be held. */
  readonly memoryBytesMax?: number;
}

/** What the host was told of an exchange. */
export class HeardExchange implements ExchangeHost {
  readonly id: string;
  exchange: Exchange | undefined;
  head: ReplyHead | undefined;
  readonly chunks: Uint8Array[] = [];
  bodyBytes = 0;
  replyEnded = false;
  resetHead: ResetHead | undefined;
  receiptHead: ReceiptHead | undefined;
  consumedBytes = 0;
  readonly lines: { readonly stream: string; readonly text: string; readonly cut: boolean }[] = [];
  /** Whether bodies are kept; a hundred megabytes need not be. */
  keepsBody = true;
  takesLogs = true;
  /** What `reply` and `replyData` answer. */
  room = true;
  readonly replied = Promise.withResolvers<void>();
  readonly over = Promise.withResolvers<ReceiptHead>();

  constructor(id: string) {
    this.id = id;
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString();
  }

  reply(head: ReplyHead, chunk: Uint8Array, last: boolean): boolean {
    this.head = head;
    return this.replyData(chunk, last);
  }

  replyData(chunk: Uint8Array, last: boolean): boolean {
    if (this.keepsBody) this.chunks.push(chunk);
    this.bodyBytes += chunk.byteLength;
    if (last) {
      this.replyEnded = true;
      this.replied.resolve();
    }
    return this.room;
  }

  failed(head: ResetHead): void {
    this.resetHead = head;
  }

  receipt(head: ReceiptHead): void {
    if (this.receiptHead !== undefined) throw new Error("a second receipt came");
    this.receiptHead = head;
    this.over.resolve(head);
  }

  log(stream: "stdout" | "stderr", line: Uint8Array, cut: boolean): boolean {
    if (this.takesLogs) this.lines.push({ stream, text: Buffer.from(line).toString(), cut });
    return this.takesLogs;
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes;
  }
}

export class RunnerTrial implements AsyncDisposable {
  readonly folder: string;
  readonly runner: Runner;
  readonly load: LoadHead;
  readonly samples: SampleHead[];
  readonly #groups: InstanceGroups;

  private constructor(folder: string, load: LoadHead, runner: Runner, groups: InstanceGroups, samples: SampleHead[]) {
    this.folder = folder;
    this.load = load;
    this.runner = runner;
    this.#groups = groups;
    this.samples = samples;
  }

  static async open(options: TrialOptions): Promise<RunnerTrial> {
    const folder = mkdtempSync(join(tmpdir(), "urocket-runner-"));
    const instance = crypto.randomUUID();
    mkdirSync(join(folder, instance));
    const groups = makeGroups(instance, "process");
    const { memorySlots } = limitGroups(groups, options.memoryBytesMax === undefined ? {} : { memoryBytesMax: options.memoryBytesMax });
    const slots = options.slots === false || memorySlots === undefined ? {} : { memorySlots };
    const load: LoadHead = {
      app: "trial",
      instance,
      replySocket: join(folder, instance, "reply.sock"),
      siblings: folder,
      programs: Object.fromEntries(Object.entries(options.programs).map(([name, program]) => [name, toSpec(folder, program)])),
      programsMax: 32,
      graceMs: 200,
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      ...slots,
      ...options.load,
    };
    const samples: SampleHead[] = [];
    const loaded = await Runner.load(load, (sample) => samples.push(sample));
    if (!loaded.ok) throw new Error(loaded.message);
    return new RunnerTrial(folder, load, loaded.runner, groups, samples);
  }

  get socket(): string {
    return this.load.replySocket;
  }

  /** Sends a request, whole. */
  send(
    operation: string,
    request: Partial<RequestHead> = {},
    payload: string | Uint8Array = "{}",
    heard = new HeardExchange(request.id ?? crypto.randomUUID()),
  ): HeardExchange {
    heard.exchange = this.runner.request(requestHead(operation, { ...request, id: heard.id }), heard);
    heard.exchange?.payload(typeof payload === "string" ? Buffer.from(payload) : payload, true);
    return heard;
  }

  /** Writes a file into the trial's folder, executable. */
  file(name: string, content: string, mode = 0o755): string {
    const path = join(this.folder, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.endAll();
    this.runner.close();
    removeInstanceGroups(this.#groups);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function requestHead(operation: string, request: Partial<RequestHead>): RequestHead {
  return {
    operation,
    id: crypto.randomUUID(),
    method: "GET",
    path: "/x",
    query: "",
    parameters: {},
    deadline: Date.now() + 30_000,
    logStdout: false,
    awaitVerdict: false,
    ...request,
  };
}

function toSpec(folder: string, program: string | Partial<ProgramSpec>): ProgramSpec {
  const common = { wd: folder, env: [], channel: "stdin", replyPath: "/uri/{req_id}" } as const;
  if (typeof program === "string") return { ...common, argv: ["sh", "-c", program] };
  return { ...common, argv: ["true"], ...program };
}
