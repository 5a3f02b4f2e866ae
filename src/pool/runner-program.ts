/** An exchange with a program as the host's end of the link sees it. What a runner says out of turn ends the link. */
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import type { LimitName } from "../core/limit-name.ts";
import type { Frame } from "../link/frames.ts";
import type { LogHead, ReceiptHead, RequestHead } from "../link/messages.ts";
import { faultOf, outputOf, parseHead, receiptOf, replyOf, type RunnerFault, windowOf } from "./runner-word.ts";
import type { RunnerWork, WorkHost } from "./runner-work.ts";
import type { ExchangeHandle, ExchangeSink, HostReset } from "./work.ts";

export class RunnerProgram implements RunnerWork, ExchangeHandle {
  readonly kind = "program";
  readonly number: number;
  readonly #host: WorkHost;
  readonly #sink: ExchangeSink;
  readonly #body: OutgoingBody;
  readonly #credit: IncomingCredit;
  #replied: "no" | "begun" | "whole" | "failed" = "no";
  #late = false;
  #beganAt = 0;

  constructor(host: WorkHost, number: number, sink: ExchangeSink) {
    this.#host = host;
    this.number = number;
    this.#sink = sink;
    this.#body = new OutgoingBody(host.channel, number);
    this.#credit = new IncomingCredit(host.channel, number);
  }

  /** Sends it. */
  begin(request: RequestHead, payload: Uint8Array): void {
    this.#beganAt = performance.now();
    this.#sink.taken(this.#host.id);
    try {
      this.#body.open("request", request, payload, true);
    } catch (error) {
      // Its head does not fit into a frame: path and parameters are the client's, and JSON makes them longer.
      const why = error instanceof Error ? error.message : String(error);
      this.#sink.failed("bad-request", `The request's path, parameters and query are too long together. ${why}`);
      this.#over(undefined, true);
    }
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case "reply":
        if (this.#replied !== "no") throw new Error("a second reply to one exchange came");
        this.#receive(frame.body.byteLength);
        this.#sink.reply(replyOf(frame), frame.body, frame.end);
        // Only now: a head that makes the sink throw ends the link, and then there was no reply.
        this.#replied = frame.end ? "whole" : "begun";
        return;
      case "data":
        if (this.#replied !== "begun") throw new Error("data of no reply came");
        if (frame.end) this.#replied = "whole";
        this.#receive(frame.body.byteLength);
        return this.#sink.data(frame.body, frame.end);
      case "window":
        return this.#body.grant(windowOf(frame));
      case "reset":
        return this.#failed(frame);
      case "receipt":
        // After a reset of ours there need be no reply; then nobody listens to this any more.
        if (this.#unanswered) this.#sink.failed("no-reply", "The app's instance ended the exchange without a reply");
        return this.#over(receiptOf(frame), !this.#late);
      default:
        throw new Error(`a runner does not send ${frame.type}`);
    }
  }

  output(frame: Frame): void {
    this.#sink.output(outputOf(frame, parseHead<LogHead>(frame)));
  }

  lost(detail: string, limit?: LimitName): void {
    if (this.#unanswered) this.#sink.failed("runner-died", detail, undefined, limit);
    this.#over(undefined, false);
  }

  consumed(bytes: number): void {
    this.#credit.consumed(bytes);
  }

  verdict(status: 200 | 422, reasons?: Uint8Array): void {
    this.#host.channel.send("verdict", this.number, { status }, reasons, true);
  }

  reset(reason: HostReset): void {
    this.#host.channel.send("reset", this.number, { reason });
    this.#host.givenUp(reason);
  }

  strain(sinceMs: number): string | undefined {
    return this.#host.limits.strainSince(sinceMs, performance.now());
  }

  get #unanswered(): boolean {
    return this.#replied === "no" || this.#replied === "begun";
  }

  #over(receipt: ReceiptHead | undefined, sound: boolean): void {
    this.#host.over(this, sound);
    this.#sink.ended(receipt);
  }

  #receive(bytes: number): void {
    if (!this.#credit.received(bytes)) throw new Error("more of a reply came than its window allows");
  }

  #failed(frame: Frame): void {
    if (!this.#unanswered) return;
    this.#replied = "failed";
    const fault = faultOf(frame);
    const { reason, detail, advice } = fault;
    if (reason === "overloaded") this.#late = true;
    const limit = this.#limitOf(fault);
    if (limit === undefined) return this.#sink.failed(reason, detail, advice);
    this.#sink.failed(reason, `${detail}: the app's instance ${this.#host.limits.words(limit, performance.now())}`, advice, limit);
  }

  /** The runner knows the limit where programs are accounted one by one; else what the whole instance ran into meanwhile is taken for it. */
  #limitOf({ reason, badExit, limit }: RunnerFault): LimitName | undefined {
    if (limit !== undefined) return limit;
    if (badExit !== true && reason !== "spawn-failed") return undefined;
    return this.#host.limits.ofProgramSince(this.#beganAt, performance.now());
  }
}
