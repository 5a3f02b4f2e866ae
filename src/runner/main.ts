/**
 * The runner's process: connects to its host's link, says who it is, is told what to serve, serves it, and ends with
 * the link. It is the one place that translates between frames and exchanges.
 */
import { IncomingCredit, OutgoingBody, windowBytes } from "../link/body.ts";
import { Channel, channelSocket, hostFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import { helloOf } from "../link/hello.ts";
import type {
  HelloHead,
  LoadHead,
  LogHead,
  ReceiptHead,
  ReplyHead,
  RequestHead,
  ResetHead,
  VerdictHead,
  WindowHead,
} from "../link/messages.ts";
import type { Exchange, ExchangeHost } from "./exchange.ts";
import type { EndCause } from "./exchange-state.ts";
import { Runner } from "./runner.ts";

/** Log lines are dropped while the host is so far behind with reading. */
const logBacklogBytesMax = 4 * windowBytes;
/** Characters of a failure's words: a program's file name or reply may be longer than a frame's head. */
const detailLengthMax = 2000;
/** How long programs may take to end, beyond their grace, when the host is gone. */
const lastEndMs = 1000;

/** The link's side of one exchange. */
class LinkedExchange implements ExchangeHost {
  exchange: Exchange | undefined;
  readonly #channel: Channel;
  readonly #number: number;
  readonly #head: RequestHead;
  readonly #body: OutgoingBody;
  readonly #credit: IncomingCredit;
  readonly #open: Map<number, LinkedExchange>;

  constructor(channel: Channel, number: number, head: RequestHead, open: Map<number, LinkedExchange>) {
    this.#channel = channel;
    this.#number = number;
    this.#head = head;
    this.#open = open;
    this.#body = new OutgoingBody(channel, number);
    this.#body.onWritable = () => this.exchange?.writable();
    this.#credit = new IncomingCredit(channel, number);
  }

  payload(chunk: Uint8Array, last: boolean): void {
    this.#credit.received(chunk.byteLength);
    this.exchange?.payload(chunk, last);
  }

  granted(bytes: number): void {
    this.#body.grant(bytes);
  }

  reply(head: ReplyHead, chunk: Uint8Array, last: boolean): boolean {
    return this.#body.open("reply", head, chunk, last);
  }

  replyData(chunk: Uint8Array, last: boolean): boolean {
    return this.#body.write(chunk, last);
  }

  reset({ reason, detail = "" }: ResetHead): void {
    this.#channel.send("reset", this.#number, { reason, detail: detail.slice(0, detailLengthMax) } satisfies ResetHead);
  }

  receipt(head: ReceiptHead): void {
    this.#channel.send("receipt", this.#number, head);
    this.#open.delete(this.#number);
    this.#channel.exchangesOpen = this.#open.size;
  }

  log(stream: "stdout" | "stderr", line: Uint8Array, cut: boolean): boolean {
    if (this.#channel.pendingBytes > logBacklogBytesMax) return false;
    const { id, operation } = this.#head;
    const head: LogHead = cut ? { id, operation, stream, cut } : { id, operation, stream };
    this.#channel.send("log", this.#number, head, line);
    return true;
  }

  consumed(bytes: number): void {
    this.#credit.consumed(bytes);
  }
}

class RunnerProcess {
  readonly #open = new Map<number, LinkedExchange>();
  readonly #channel = new Channel(hostFrameBytesMax, {
    frame: (frame) => this.#frame(frame),
    closed: () => void this.#end(),
  });
  #runner: Runner | undefined;
  #graceMs = 0;

  async connect(link: string, hello: HelloHead): Promise<void> {
    await Bun.connect({ unix: link, data: this.#channel, socket: { ...channelSocket, open: (socket) => this.#channel.attach(socket) } });
    this.#channel.send("hello", 0, hello);
  }

  #frame(frame: Frame): void {
    switch (frame.type) {
      case "load":
        return void this.#load(JSON.parse(Buffer.from(frame.body).toString()) as LoadHead);
      case "request":
        return this.#request(frame);
      case "data":
        return this.#open.get(frame.exchange)?.payload(frame.body, frame.end);
      case "window":
        return this.#open.get(frame.exchange)?.granted((JSON.parse(frame.head) as WindowHead).bytes);
      case "reset":
        return this.#open.get(frame.exchange)?.exchange?.cancel(endCause(JSON.parse(frame.head) as ResetHead));
      case "verdict":
        return this.#open.get(frame.exchange)?.exchange?.verdict((JSON.parse(frame.head) as VerdictHead).status, frame.body);
      default:
      // "drain": the host sends no more requests and closes the link when the last is over.
    }
  }

  async #load(load: LoadHead): Promise<void> {
    this.#graceMs = load.graceMs;
    const loaded = await Runner.load(load, (sample) => this.#channel.send("sample", 0, sample));
    if (loaded.ok) this.#runner = loaded.runner;
    if (this.#channel.closed) return this.#end();
    this.#channel.send("loaded", 0, loaded.ok ? { ok: true } : loaded);
  }

  #request(frame: Frame): void {
    const head = JSON.parse(frame.head) as RequestHead;
    const linked = new LinkedExchange(this.#channel, frame.exchange, head, this.#open);
    this.#open.set(frame.exchange, linked);
    this.#channel.exchangesOpen = this.#open.size;
    linked.exchange = this.#runner?.request(head, linked);
    linked.payload(frame.body, frame.end);
  }

  /** The link is gone: so is everything else. */
  async #end(): Promise<void> {
    const late = setTimeout(() => process.exit(1), this.#graceMs + lastEndMs);
    await this.#runner?.endAll();
    this.#runner?.close();
    clearTimeout(late);
    process.exit(0);
  }
}

function endCause(head: ResetHead): EndCause {
  switch (head.reason) {
    case "deadline":
    case "client-left":
    case "reply-refused":
      return head.reason;
    default:
      return "shutdown";
  }
}

// The host ends its runners by the link; a terminal's Ctrl-C and a service manager's TERM reach the whole group.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
const { UROCKET_LINK: link = "", UROCKET_TOKEN: token = "", UROCKET_INSTANCE: instance = "" } = process.env;
await new RunnerProcess().connect(link, helloOf(token, instance));
