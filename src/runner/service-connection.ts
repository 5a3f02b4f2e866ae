/**
 * A connection of the host's to the daemon's port, over the link: bytes go both ways as they are, each side is read no faster than
 * the other takes, and each may half-close. It is over when both have ended, or one breaks it off.
 */
import type { Socket } from "bun";
import { codeOf } from "../core/system-error.ts";
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";
import type { ResetHead } from "../link/messages.ts";
import type { LinkExchange } from "./link-exchange.ts";
import type { OpenExchanges } from "./open-exchanges.ts";

const nothing = new Uint8Array(0);

/** One direction: bytes flow · its source has ended, and what is left of it is on its way · all of it has arrived. */
type Way = "open" | "ending" | "ended";

export class ServiceConnection implements LinkExchange {
  readonly #channel: Channel;
  readonly #open: OpenExchanges;
  readonly #number: number;
  readonly #credit: IncomingCredit;
  readonly #outgoing: OutgoingBody;
  /** Undefined: not yet connected. */
  #socket: Socket<undefined> | undefined;
  #toDaemon: Way = "open";
  #toHost: Way = "open";
  /** Of the host, for the daemon: at most a window. */
  #pending: Uint8Array[] = [];
  /** Of the daemon, for the host: what had been read when the host's credit was used up. */
  #read: Uint8Array[] = [];
  /** Something of the host's was not yet answered. */
  #asked = false;
  #over = false;

  constructor(channel: Channel, open: OpenExchanges, number: number) {
    this.#channel = channel;
    this.#open = open;
    this.#number = number;
    this.#credit = new IncomingCredit(channel, number);
    this.#outgoing = new OutgoingBody(channel, number);
    this.#outgoing.onWritable = () => this.#hostTakes();
    open.add(number, this);
    open.quiet(1);
  }

  /** Never rejects. */
  async connect(host: string, port: number): Promise<void> {
    try {
      await Bun.connect({
        hostname: host,
        port,
        allowHalfOpen: true,
        socket: {
          open: (socket) => this.#opened(socket),
          data: (_, chunk) => this.#daemonSaid(chunk),
          drain: () => this.#daemonTakes(),
          end: () => this.#daemonEnded(),
          close: (_, error) => this.#closed(error),
          error: (_, error) => this.#closed(error),
        },
      });
    } catch (error) {
      this.#abort("no-reply", `It takes no connection${inParentheses(error)}`);
    }
  }

  // --- what the host says

  data(bytes: Uint8Array, end: boolean): void {
    if (this.#over || this.#toDaemon !== "open") return;
    this.#credit.received(bytes.byteLength);
    if (bytes.byteLength > 0) {
      this.#pending.push(bytes);
      this.#ask(true);
    }
    if (end) this.#toDaemon = "ending";
    this.#daemonTakes();
  }

  granted(bytes: number): void {
    if (!this.#over) this.#outgoing.grant(bytes);
  }

  reset(): void {
    this.#close();
  }

  verdict(): void {
    // None is awaited for bytes.
  }

  // --- what the daemon does

  #opened(socket: Socket<undefined>): void {
    if (this.#over) return void socket.terminate();
    this.#socket = socket;
    // Without bytes: it is taken. The host sends nothing before.
    this.#channel.send("data", this.#number);
    this.#daemonTakes();
  }

  #daemonSaid(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#ask(false);
    if (this.#outgoing.waits) this.#read.push(chunk);
    else if (!this.#outgoing.write(chunk, false)) this.#socket?.pause();
  }

  #daemonEnded(): void {
    if (this.#over || this.#toHost !== "open") return;
    this.#toHost = "ending";
    if (!this.#outgoing.waits) this.#hostTakes();
  }

  /** Both directions are over on its side: with what it said, if it said so; else it broke off. */
  #closed(error: unknown): void {
    if (this.#over) return;
    if (error !== undefined && error !== null)
      return this.#abort("reply-aborted", `The service broke off a connection${inParentheses(error)}`);
    // Nothing of what comes arrives any more: it counts as taken.
    this.#socket = undefined;
    this.#pending = [];
    this.#toDaemon = "ended";
    this.#daemonEnded();
    this.#closeWhenDone();
  }

  // --- both ways

  /** Writes what the daemon takes. */
  #daemonTakes(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    for (let chunk = this.#pending.shift(); chunk !== undefined; chunk = this.#pending.shift()) {
      // A closed socket answers -1; its close event tells the rest.
      const written = Math.max(0, socket.write(chunk));
      this.#credit.consumed(written);
      if (written === chunk.byteLength) continue;
      this.#pending.unshift(chunk.subarray(written));
      return;
    }
    if (this.#toDaemon !== "ending") return;
    this.#toDaemon = "ended";
    socket.shutdown();
    this.#closeWhenDone();
  }

  /** The host has taken all that it was sent. */
  #hostTakes(): void {
    for (let chunk = this.#read.shift(); chunk !== undefined; chunk = this.#read.shift()) {
      if (!this.#outgoing.write(chunk, false)) return;
    }
    if (this.#toHost === "open") return void this.#socket?.resume();
    if (this.#toHost === "ended") return;
    this.#toHost = "ended";
    this.#outgoing.write(nothing, true);
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#toDaemon === "ended" && this.#toHost === "ended") this.#close();
  }

  #abort(reason: ResetHead["reason"], detail: string): void {
    if (this.#over) return;
    this.#channel.send("reset", this.#number, { reason, detail } satisfies ResetHead);
    this.#close();
  }

  /** Frames are written sooner while something waits to be answered by few. */
  #ask(asked: boolean): void {
    if (this.#asked === asked) return;
    this.#asked = asked;
    this.#open.quiet(asked ? -1 : 1);
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ask(false);
    this.#open.quiet(-1);
    this.#open.delete(this.#number);
    this.#pending = [];
    this.#read = [];
    if (this.#toDaemon === "ended" && this.#toHost === "ended") this.#socket?.end();
    else this.#socket?.terminate();
  }
}

function inParentheses(error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? "" : ` (${code})`;
}
