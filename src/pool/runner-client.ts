/**
 * A connection as the host's end of the link sees it, each way with its window: a listener's client, whose lines go to the runner's
 * functions and answers back; or one to the instance's daemon, whose bytes go both ways as they are.
 */
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import type { Frame } from "../link/frames.ts";
import type { ConnectHead, LogHead } from "../link/messages.ts";
import { faultOf, outputOf, parseHead, windowOf } from "./runner-word.ts";
import type { RunnerWork, WorkHost } from "./runner-work.ts";
import type { ConnectionFailure, ConnectionHandle, ConnectionSink, HostReset } from "./work.ts";

export class RunnerClient implements RunnerWork, ConnectionHandle {
  readonly kind: "connection" | "upstream";
  readonly number: number;
  readonly #host: WorkHost;
  readonly #sink: ConnectionSink;
  readonly #body: OutgoingBody;
  readonly #credit: IncomingCredit;
  #over = false;
  /** Lines were sent since the last answer. */
  #waits = false;
  /** What was written last is the last of all. */
  #last = false;
  /** Nothing more is sent; nothing more comes. A daemon's connection is over when both is so. */
  #sent = false;
  #came = false;

  constructor(kind: "connection" | "upstream", host: WorkHost, number: number, sink: ConnectionSink) {
    this.kind = kind;
    this.#host = host;
    this.number = number;
    this.#sink = sink;
    this.#body = new OutgoingBody(host.channel, number);
    this.#body.onWritable = () => {
      if (this.#over) return;
      if (this.#last) this.#ended("writing");
      this.#sink.writable();
    };
    this.#credit = new IncomingCredit(host.channel, number);
  }

  begin(connection: ConnectHead): void {
    this.#sink.taken(this.#host.id);
    this.#host.channel.send("connect", this.number, connection);
  }

  write(lines: Uint8Array, last: boolean): boolean {
    if (this.#over) return true;
    if (this.kind === "connection") this.#count(lines);
    this.#last = last;
    if (!this.#body.write(lines, last)) return false;
    if (last) this.#ended("writing");
    return true;
  }

  consumed(bytes: number): void {
    if (!this.#over) this.#credit.consumed(bytes);
  }

  reset(reason: Exclude<HostReset, "reply-refused">): void {
    if (this.#over) return;
    this.#host.channel.send("reset", this.number, { reason });
    if (this.kind === "connection") this.#host.givenUp(reason);
    this.#close(reason !== "deadline", undefined);
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case "data":
        return this.#data(frame);
      case "window":
        return this.#body.grant(windowOf(frame));
      case "reset": {
        const fault = faultOf(frame);
        return this.#close(fault.reason !== "overloaded" && fault.reason !== "bad-reply", fault);
      }
      default:
        throw new Error(`a runner does not send ${frame.type} for a connection`);
    }
  }

  output(frame: Frame): void {
    this.#sink.output(outputOf(frame, parseHead<LogHead>(frame)));
  }

  lost(detail: string): void {
    this.#close(false, { reason: "runner-died", detail });
  }

  #data(frame: Frame): void {
    if (!this.#credit.received(frame.body.byteLength)) throw new Error("more answers came than their window allows");
    this.#rest();
    this.#sink.data(frame.body, frame.end);
    if (frame.end) this.#ended("reading");
  }

  /** Nobody waits for a listener's client that has had its last answer. */
  #ended(what: "writing" | "reading"): void {
    if (what === "writing") this.#sent = true;
    else this.#came = true;
    if (this.#came && (this.#sent || this.kind === "connection")) this.#close(true, undefined);
  }

  #count(lines: Uint8Array): void {
    if (!this.#waits && lines.byteLength > 0) {
      this.#waits = true;
      this.#host.busier(1);
    }
    this.#host.lines(countLines(lines));
  }

  #rest(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#host.busier(-1);
  }

  #close(sound: boolean, failure: ConnectionFailure | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#rest();
    this.#host.over(this, sound);
    this.#sink.closed(failure);
  }
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(newline); at >= 0; at = lines.indexOf(newline, at + 1)) count++;
  return count;
}

const newline = 10;
