/** A listener's client as the host's end of the link sees it: lines to the runner, answers back, each with its window. */
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import type { Frame } from "../link/frames.ts";
import type { ConnectHead, LogHead } from "../link/messages.ts";
import { faultOf, outputOf, parseHead, windowOf } from "./runner-word.ts";
import type { RunnerWork, WorkHost } from "./runner-work.ts";
import type { ConnectionFailure, ConnectionHandle, ConnectionSink, HostReset } from "./work.ts";

export class RunnerClient implements RunnerWork, ConnectionHandle {
  readonly kind = "connection";
  readonly number: number;
  readonly #host: WorkHost;
  readonly #sink: ConnectionSink;
  readonly #body: OutgoingBody;
  readonly #credit: IncomingCredit;
  #over = false;
  /** Lines were sent since the last answer. */
  #waits = false;

  constructor(host: WorkHost, number: number, sink: ConnectionSink) {
    this.#host = host;
    this.number = number;
    this.#sink = sink;
    this.#body = new OutgoingBody(host.channel, number);
    this.#body.onWritable = () => {
      if (!this.#over) this.#sink.writable();
    };
    this.#credit = new IncomingCredit(host.channel, number);
  }

  begin(connection: ConnectHead): void {
    this.#sink.taken(this.#host.id);
    this.#host.channel.send("connect", this.number, connection);
  }

  write(lines: Uint8Array, last: boolean): boolean {
    if (this.#over) return true;
    if (!this.#waits && lines.byteLength > 0) {
      this.#waits = true;
      this.#host.busier(1);
    }
    this.#host.lines(countLines(lines));
    return this.#body.write(lines, last);
  }

  consumed(bytes: number): void {
    if (!this.#over) this.#credit.consumed(bytes);
  }

  reset(reason: Exclude<HostReset, "reply-refused">): void {
    if (this.#over) return;
    this.#host.channel.send("reset", this.number, { reason });
    this.#host.givenUp(reason);
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
    if (frame.end) this.#close(true, undefined);
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
