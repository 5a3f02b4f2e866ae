/**
 * A function's call as the host's end of the link sees it. Most calls are one frame there and one back: what else a call can
 * need (credit, the rest of a body) is made when it does.
 */
import type { LimitName } from "../core/limit-name.ts";
import { IncomingCredit, OutgoingBody, windowBytes } from "../link/body.ts";
import { dataBytesMax, type Frame } from "../link/frames.ts";
import type { CallHead, LogHead } from "../link/messages.ts";
import { faultOf, outputOf, parseHead, replyOf, windowOf } from "./runner-word.ts";
import type { RunnerWork, WorkHost } from "./runner-work.ts";
import type { CallHandle, ExchangeSink, HostReset, WorkFailure } from "./work.ts";

export class RunnerCall implements RunnerWork, CallHandle {
  readonly kind = "call";
  readonly number: number;
  readonly #host: WorkHost;
  readonly #sink: ExchangeSink;
  #state: "calling" | "replying" | "over" = "calling";
  /** The request's body, where more of it follows. */
  #body: OutgoingBody | undefined;
  /** What was written while some before it waited for credit. */
  #written: Uint8Array | undefined;
  #writtenLast = false;
  /** A `write` has returned false. */
  #told = false;
  /** The reply's body, where more of it follows. */
  #credit: IncomingCredit | undefined;
  /** Bytes that the reply's body has still to have; undefined: it was not said. */
  #bytesLeft: number | undefined;

  constructor(host: WorkHost, number: number, sink: ExchangeSink) {
    this.#host = host;
    this.number = number;
    this.#sink = sink;
  }

  /** Sends it with as much of its body as there is. */
  begin(call: CallHead, body: Uint8Array, last: boolean): void {
    this.#sink.taken(this.#host.id);
    try {
      if (last && body.byteLength <= dataBytesMax) {
        this.#host.channel.send("call", this.number, call, body.byteLength === 0 ? undefined : body, true);
        return;
      }
      const outgoing = new OutgoingBody(this.#host.channel, this.number);
      this.#body = outgoing;
      outgoing.onWritable = () => this.#writable();
      if (!outgoing.open("call", call, body, last)) this.#written = nothing;
    } catch (error) {
      // Its head does not fit into a frame: path, parameters and headers are the client's, and JSON makes them longer.
      const why = error instanceof Error ? error.message : String(error);
      this.#fail("bad-request", `The request's path, query and headers are too long together. ${why}`, undefined, true);
    }
  }

  write(chunk: Uint8Array, last: boolean): boolean {
    const body = this.#body;
    // Whoever has its answer does not read on.
    if (this.#state === "over" || body === undefined) return true;
    if (this.#written !== undefined) {
      this.#written = this.#written.byteLength === 0 ? chunk : Buffer.concat([this.#written, chunk]);
      this.#writtenLast = last;
      this.#told = true;
      return false;
    }
    if (body.write(chunk, last)) return true;
    this.#written = nothing;
    this.#told = true;
    return false;
  }

  consumed(bytes: number): void {
    // Of a reply that came whole in its frame there is no account.
    if (this.#state !== "over") this.#credit?.consumed(bytes);
  }

  verdict(): void {
    // A function has returned: nobody waits to be told.
  }

  reset(reason: HostReset): void {
    if (this.#state === "over") return;
    this.#host.channel.send("reset", this.number, { reason });
    this.#host.givenUp(reason);
    this.#over(reason !== "deadline");
  }

  strain(sinceMs: number): string | undefined {
    return this.#host.limits.strainSince(sinceMs, performance.now());
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case "reply":
        return this.#reply(frame);
      case "data":
        return this.#data(frame);
      case "window":
        return this.#body?.grant(windowOf(frame));
      case "reset": {
        const { reason, detail, advice } = faultOf(frame);
        return this.#fail(reason, detail, advice, reason !== "overloaded" && reason !== "bad-reply");
      }
      default:
        throw new Error(`a runner does not send ${frame.type} for a call`);
    }
  }

  output(frame: Frame): void {
    this.#sink.output(outputOf(frame, parseHead<LogHead>(frame)));
  }

  lost(detail: string, limit?: LimitName): void {
    this.#fail("runner-died", detail, undefined, false, limit);
  }

  #reply(frame: Frame): void {
    if (this.#state !== "calling") throw new Error("a second reply to one call came");
    const bytes = frame.body.byteLength;
    if (frame.end) {
      if (bytes > windowBytes) throw new Error("more of a reply came than its window allows");
      this.#sink.reply(replyOf(frame), frame.body, true);
      return this.#over(true);
    }
    this.#credit = new IncomingCredit(this.#host.channel, this.number);
    const reply = replyOf(frame);
    this.#bytesLeft = reply.bodyBytes;
    this.#receive(this.#credit, bytes, false);
    // The sink may end the call while it is told.
    this.#sink.reply(reply, frame.body, false);
    if (this.#state === "calling") this.#state = "replying";
  }

  #data(frame: Frame): void {
    if (this.#state !== "replying" || this.#credit === undefined) throw new Error("data of no reply came");
    this.#receive(this.#credit, frame.body.byteLength, frame.end);
    this.#sink.data(frame.body, frame.end);
    if (frame.end) this.#over(true);
  }

  #receive(credit: IncomingCredit, bytes: number, last: boolean): void {
    if (!credit.received(bytes)) throw new Error("more of a reply came than its window allows");
    if (this.#bytesLeft === undefined) return;
    this.#bytesLeft -= bytes;
    if (last ? this.#bytesLeft !== 0 : this.#bytesLeft < 0) throw new Error("a reply came that is not as long as it said");
  }

  /** What waited for credit has gone. */
  #writable(): void {
    const written = this.#written;
    const body = this.#body;
    this.#written = undefined;
    if (this.#state === "over" || body === undefined) return;
    const more = written !== undefined && (written.byteLength > 0 || this.#writtenLast);
    if (more && !this.write(written, this.#writtenLast)) return;
    if (!this.#told) return;
    this.#told = false;
    this.#sink.writable();
  }

  #fail(reason: WorkFailure, detail: string, advice: string | undefined, sound: boolean, limit?: LimitName): void {
    if (this.#state === "over") return;
    this.#sink.failed(reason, detail, advice, limit);
    this.#over(sound);
  }

  #over(sound: boolean): void {
    // A sink may have ended it itself while it was told of its reply.
    if (this.#state === "over") return;
    this.#state = "over";
    this.#host.over(this, sound);
    this.#sink.ended(undefined);
  }
}

const nothing = new Uint8Array(0);
