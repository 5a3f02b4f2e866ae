/** The runner's programs on the link: translates between frames and exchanges. Loaded only where an app has programs. */
import { IncomingCredit, OutgoingBody, windowBytes } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type { LoadedHead, LoadHead, LogHead, ReceiptHead, ReplyHead, RequestHead, ResetHead } from "../link/messages.ts";
import type { Exchange, ExchangeHost } from "./exchange.ts";
import type { EndCause } from "./exchange-state.ts";
import type { LinkExchange } from "./link-exchange.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { Runner } from "./runner.ts";

/** Log lines are dropped while the host is so far behind with reading. */
const logBacklogBytesMax = 4 * windowBytes;
/** Characters of a failure's words: a program's file name or reply may be longer than a frame's head. */
const detailLengthMax = 2000;

export type LoadedPrograms = { readonly ok: true; readonly programs: ProgramExchanges } | (LoadedHead & { readonly ok: false });

export class ProgramExchanges {
  readonly #channel: Channel;
  readonly #open: OpenExchanges;
  readonly #runner: Runner;

  private constructor(channel: Channel, open: OpenExchanges, runner: Runner) {
    this.#channel = channel;
    this.#open = open;
    this.#runner = runner;
  }

  static async load(load: LoadHead, channel: Channel, open: OpenExchanges): Promise<LoadedPrograms> {
    const loaded = await Runner.load(load, (sample) => channel.send("sample", 0, sample));
    return loaded.ok ? { ok: true, programs: new ProgramExchanges(channel, open, loaded.runner) } : loaded;
  }

  request(frame: Frame): void {
    const head = JSON.parse(frame.head) as RequestHead;
    const linked = new LinkedProgram(this.#channel, frame.exchange, head, this.#open);
    this.#open.add(frame.exchange, linked);
    linked.exchange = this.#runner.request(head, linked);
    linked.data(frame.body, frame.end);
  }

  /** Ends every program, and removes what was made for them. */
  async end(): Promise<void> {
    await this.#runner.endAll();
    this.#runner.close();
  }
}

/** The link's side of one exchange. */
class LinkedProgram implements ExchangeHost, LinkExchange {
  exchange: Exchange | undefined;
  readonly #channel: Channel;
  readonly #number: number;
  readonly #head: RequestHead;
  readonly #body: OutgoingBody;
  readonly #credit: IncomingCredit;
  readonly #open: OpenExchanges;

  constructor(channel: Channel, number: number, head: RequestHead, open: OpenExchanges) {
    this.#channel = channel;
    this.#number = number;
    this.#head = head;
    this.#open = open;
    this.#body = new OutgoingBody(channel, number);
    this.#body.onWritable = () => this.exchange?.writable();
    this.#credit = new IncomingCredit(channel, number);
  }

  // --- what the host says

  data(chunk: Uint8Array, end: boolean): void {
    this.#credit.received(chunk.byteLength);
    this.exchange?.payload(chunk, end);
  }

  granted(bytes: number): void {
    this.#body.grant(bytes);
  }

  reset(head: ResetHead): void {
    this.exchange?.cancel(endCause(head));
  }

  verdict(status: number, reasons: Uint8Array): void {
    this.exchange?.verdict(status, reasons);
  }

  // --- what the exchange says

  reply(head: ReplyHead, chunk: Uint8Array, last: boolean): boolean {
    return this.#body.open("reply", head, chunk, last);
  }

  replyData(chunk: Uint8Array, last: boolean): boolean {
    return this.#body.write(chunk, last);
  }

  failed({ detail = "", advice, ...rest }: ResetHead): void {
    const head: ResetHead = { ...rest, detail: detail.slice(0, detailLengthMax) };
    this.#channel.send("reset", this.#number, advice === undefined ? head : { ...head, advice: advice.slice(0, detailLengthMax) });
  }

  receipt(head: ReceiptHead): void {
    this.#channel.send("receipt", this.#number, head);
    this.#open.delete(this.#number);
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
