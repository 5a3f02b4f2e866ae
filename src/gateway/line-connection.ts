/**
 * One client of a listener. Its lines go to an instance as they come, many at once; the answers go back from the bytes of the link.
 * It is on an instance only while it has something to say: a client that is silent costs a socket and nothing else, and neither a
 * reload nor an instance that ends costs it its connection.
 *
 * In memory of one connection, at the most: a line that has begun (the limit of a line), what came in one read while the instance
 * takes no more (512 KiB), and the answers that the client does not take (a window of the link, 256 KiB, in a buffer of up to twice that).
 */
import type { Socket } from "bun";
import { formatDuration, formatSize } from "../core/units.ts";
import type { DispatchOutput } from "./dispatch.ts";
import { countLines, LineCutter } from "./line-cutter.ts";
import { LineLink, type LinkFailure, type LinkUser } from "./line-link.ts";
import { LineOutput } from "./line-output.ts";
import type { LineTarget } from "./line-target.ts";
import { PendingLines } from "./pending-lines.ts";

/** After such a silence a connection leaves its instance, which may then sleep or end; its next line brings it to one again. */
export const quietMs = 2_000;
/** How long a client may take to read the last line and to close. */
export const lingerMs = 1_000;

const noLines = new Uint8Array(0);

export interface LineConnectionOwner {
  now(): number;
  /** It has left the instance that served it. */
  released(): void;
  /** Its socket is closed. */
  gone(connection: LineConnection): void;
}

/** How it is closed by us. */
interface Ending {
  /** The last line, without "Err: " and its end. */
  readonly words?: string;
  /** For the log. */
  readonly detail?: string;
}

type Phase =
  | { readonly kind: "open" }
  /** Nothing more is read; what was handed on is answered first. */
  | { readonly kind: "answering"; readonly ending: Ending }
  /** The last was said; what the client still sends is thrown away, so that it can read it. */
  | { readonly kind: "closing" }
  | { readonly kind: "gone" };

export class LineConnection implements LinkUser {
  readonly #owner: LineConnectionOwner;
  readonly #socket: Socket<LineConnection | undefined>;
  readonly #client: string | undefined;
  readonly #openedAt: number;
  readonly #cutter: LineCutter;
  readonly #pending = new PendingLines();
  readonly #output: LineOutput;
  #target: LineTarget;
  #phase: Phase = { kind: "open" };
  #link: LineLink | undefined;
  #successor: LineTarget | undefined;
  /** What came although nothing could be taken. */
  #held: Buffer | undefined;
  #paused = false;
  /** The client has half-closed. */
  #ended = false;
  /** The instance is to be told that no line follows, when it takes something again. */
  #lastOwed = false;
  /** Since when it knows that no line follows; undefined: it does not. */
  #lastToldAt: number | undefined;
  /** Something came or went since the last tick. */
  #active = false;
  #activeAt: number;
  #refused = false;
  #bytesIn = 0;
  #detail: string | undefined;
  #instance: string | undefined;
  #id: string | undefined;

  constructor(owner: LineConnectionOwner, socket: Socket<LineConnection | undefined>, target: LineTarget) {
    this.#owner = owner;
    this.#socket = socket;
    this.#target = target;
    this.#client = clientAddress(socket.remoteAddress);
    this.#cutter = new LineCutter(target.listener.lineBytesMax);
    this.#output = new LineOutput(socket);
    this.#openedAt = this.#activeAt = owner.now();
  }

  /** Whose instance it is on; undefined: on none. */
  get servedBy(): LineTarget | undefined {
    return this.#link === undefined ? undefined : this.#target;
  }

  // The socket's events.

  received(chunk: Buffer): void {
    if (this.#phase.kind !== "open") return;
    this.#active = true;
    this.#bytesIn += chunk.length;
    // Reading was paused, but a read was under way.
    if (this.#mustWait) this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    else this.#take(chunk);
  }

  halfClosed(): void {
    this.#ended = true;
    this.#active = true;
    if (this.#phase.kind === "open") this.#goOn();
    else if (this.#phase.kind === "closing" && !this.#output.isBlocked) this.#socket.end();
  }

  drained(): void {
    const taken = this.#output.flush();
    if (taken > 0) {
      this.#active = true;
      this.#link?.consumed(taken);
    }
    if (this.#output.isBlocked) return;
    if (this.#phase.kind === "closing") this.#shut();
    else this.#goOn();
  }

  closed(): void {
    if (this.#phase.kind === "gone") return;
    this.#phase = { kind: "gone" };
    this.#letGo("client-left");
    this.#held = undefined;
    if (!this.#refused) this.#tellReceipt();
    this.#owner.gone(this);
  }

  // The instance's events.

  taken(instance: string): void {
    this.#instance = instance;
  }

  answered(bytes: Uint8Array): void {
    this.#active = true;
    this.#pending.answered(countLines(bytes));
    const taken = this.#output.write(bytes);
    if (taken > 0) this.#link?.consumed(taken);
    if (this.#output.isBlocked) this.#steer();
  }

  writable(): void {
    if (this.#lastOwed) this.#tellLast();
    else this.#goOn();
  }

  output({ stream, level, text, fields, cut }: DispatchOutput): void {
    const { app, log, listener } = this.#target;
    log.output({
      requestId: this.#connectionId,
      exchangeId: this.#connectionId,
      app,
      operation: listener.name,
      stream,
      ...(level === undefined ? {} : { level }),
      ...(fields === undefined ? {} : { fields }),
      text,
      cut,
    });
  }

  linkClosed(failure: LinkFailure | undefined): void {
    const wasTold = this.#lastToldAt !== undefined;
    this.#forgetLink();
    if (failure !== undefined) {
      const { detail, advice } = failure;
      this.#conclude({ words: detail, detail: advice === undefined ? detail : `${detail}: ${advice}` });
    } else if (this.#phase.kind === "answering") this.#conclude(this.#phase.ending);
    else if (wasTold) this.#goOn();
    else this.#conclude({ detail: "the function's instance ended the connection" });
  }

  // The listener's words.

  /** @param nowMs by the owner's clock. */
  tick(nowMs: number): void {
    if (this.#active) {
      this.#active = false;
      this.#activeAt = nowMs;
    }
    const silentMs = nowMs - this.#activeAt;
    if (this.#phase.kind === "closing") {
      if (silentMs >= lingerMs) this.#socket.terminate();
    } else if (this.#output.isBlocked) this.#checkTaking(silentMs);
    else if (this.#pending.count > 0 || this.#lastToldAt !== undefined) this.#checkDeadline(nowMs);
    else this.#checkIdle(silentMs);
  }

  /** Serves the next line by another target, as soon as what was handed on is answered. */
  moveTo(target: LineTarget): void {
    if (this.#phase.kind !== "open") return;
    this.#successor = target;
    this.#tellLast();
    this.#goOn();
  }

  /** Reads no more, and closes when what was handed on is answered. */
  drain(): void {
    if (this.#phase.kind !== "open") return;
    if (this.#link === undefined && !this.#cutter.isWithinLine) this.#leave();
    else this.#finish(this.#cutter.isWithinLine || this.#held !== undefined ? stopping : { detail: stopping.detail });
  }

  /** Closes at once, with a last line where answers are due. */
  close(): void {
    if (this.#phase.kind === "open" || this.#phase.kind === "answering")
      this.#conclude(this.#pending.count > 0 ? stopping : { detail: stopping.detail }, "shutdown");
    this.#leave();
    this.closed();
  }

  /** Closes at once with a last line. It is nobody's connection, and no receipt is told. */
  refuse(words: string): void {
    this.#refused = true;
    this.#conclude({ words });
  }

  /** Closes without waiting for the client. */
  #leave(): void {
    this.#detail ??= stopping.detail;
    this.#socket.end();
  }

  #checkTaking(silentMs: number): void {
    this.#pending.startAnew();
    if (silentMs < this.#target.listener.idleMs) return;
    this.#detail = `the client took no answer for ${formatDuration(this.#target.listener.idleMs)}`;
    this.#socket.terminate();
  }

  #checkDeadline(nowMs: number): void {
    const { timeoutMs } = this.#target.listener;
    if (!this.#pending.isOverdue(nowMs, timeoutMs) && !this.#isEndOverdue(nowMs, timeoutMs)) return;
    const words = `no answer within ${formatDuration(timeoutMs)}, the deadline of a line`;
    this.#conclude({ words, detail: words }, "deadline");
  }

  /** Whether all seems to be answered, but the instance, which was told so, does not say that it was all. */
  #isEndOverdue(nowMs: number, timeoutMs: number): boolean {
    return this.#lastToldAt !== undefined && this.#pending.count === 0 && nowMs - Math.max(this.#lastToldAt, this.#activeAt) >= timeoutMs;
  }

  #checkIdle(silentMs: number): void {
    const { idleMs } = this.#target.listener;
    if (this.#link !== undefined) {
      // An answer of several lines counts as several: whether all are answered only the instance knows.
      if (silentMs >= Math.min(quietMs, idleMs)) this.#tellLast();
    } else if (silentMs >= idleMs) {
      const words = `nothing was said for ${formatDuration(idleMs)}, the limit of silence`;
      this.#conclude({ words, detail: words });
    }
  }

  /** Whether nothing can be taken of the client now. */
  get #mustWait(): boolean {
    return this.#lastToldAt !== undefined || this.#link?.isBlocked === true || this.#output.isBlocked || this.#successor !== undefined;
  }

  get #connectionId(): string {
    return (this.#id ??= crypto.randomUUID());
  }

  #take(chunk: Buffer): void {
    const lines = this.#cutter.push(chunk);
    if (lines !== undefined) this.#handOn(lines, this.#cutter.lines, false);
    if (this.#cutter.tooLong && this.#phase.kind === "open") this.#finish(tooLong(this.#cutter.lineBytesMax));
    else if (this.#mustWait) this.#steer();
  }

  #handOn(lines: Uint8Array, count: number, last: boolean): void {
    this.#pending.handedOn(count);
    this.#link ??= this.#connect();
    if (last && this.#link !== undefined) this.#lastToldAt = this.#owner.now();
    this.#link?.write(lines, last);
  }

  /** Tells the instance that no line follows: it ends the connection on its side when all are answered. */
  #tellLast(): void {
    if (this.#link === undefined || this.#lastToldAt !== undefined) return;
    this.#lastOwed = this.#link.isBlocked;
    if (this.#lastOwed) return;
    this.#lastToldAt = this.#owner.now();
    this.#link.write(noLines, true);
    this.#steer();
  }

  #connect(): LineLink | undefined {
    const { dispatch, listener, position } = this.#target;
    const link = new LineLink(this);
    link.open(dispatch, {
      listener: position,
      id: this.#connectionId,
      timeoutMs: listener.timeoutMs,
      ...(this.#client === undefined ? {} : { client: this.#client }),
    });
    return link.isOver ? undefined : link;
  }

  /** Does what had to wait, as far as it need not wait any longer. */
  #goOn(): void {
    this.#move();
    while (this.#phase.kind === "open" && !this.#mustWait && this.#held !== undefined) {
      const held = this.#held;
      this.#held = undefined;
      this.#take(held);
    }
    if (this.#phase.kind === "open" && !this.#mustWait && this.#ended) this.#readToEnd();
    this.#steer();
  }

  #move(): void {
    if (this.#successor === undefined || this.#link !== undefined) return;
    this.#target = this.#successor;
    this.#successor = undefined;
    this.#cutter.lineBytesMax = this.#target.listener.lineBytesMax;
  }

  /** The client has said all. */
  #readToEnd(): void {
    const rest = this.#cutter.end();
    if (rest === undefined) return this.#finish({});
    this.#phase = { kind: "answering", ending: {} };
    this.#handOn(rest, this.#cutter.lines, true);
  }

  /** Reads no more; closes when what was handed on is answered. */
  #finish(ending: Ending): void {
    if (this.#link === undefined) return this.#conclude(ending);
    this.#phase = { kind: "answering", ending };
    this.#successor = undefined;
    this.#held = undefined;
    this.#tellLast();
    this.#steer();
  }

  /** Says the last words, and closes. */
  #conclude({ words, detail }: Ending, reason: "deadline" | "client-left" | "shutdown" = "client-left"): void {
    if (this.#phase.kind === "closing" || this.#phase.kind === "gone") return;
    this.#phase = { kind: "closing" };
    this.#active = true;
    this.#detail = detail;
    this.#successor = undefined;
    this.#held = undefined;
    this.#letGo(reason);
    if (words !== undefined) this.#output.write(Buffer.from(`Err: ${words.replaceAll(/\s*[\r\n]+\s*/g, " ")}\n`));
    this.#steer();
    if (!this.#output.isBlocked) this.#shut();
  }

  /** Ends our side. Theirs is read to its end, because closing before that may take the last line from them. */
  #shut(): void {
    if (this.#ended) this.#socket.end();
    else this.#socket.shutdown();
  }

  #letGo(reason: "deadline" | "client-left" | "shutdown"): void {
    const link = this.#link;
    if (link === undefined) return;
    this.#forgetLink();
    link.release(reason);
  }

  #forgetLink(): void {
    this.#link = undefined;
    this.#lastOwed = false;
    this.#lastToldAt = undefined;
    this.#pending.forget();
    this.#owner.released();
  }

  /** Makes the client wait, or go on. */
  #steer(): void {
    // Who has said all has nothing that could wait.
    if (this.#ended || this.#phase.kind === "gone") return;
    const pause = this.#phase.kind === "answering" || (this.#phase.kind === "open" && this.#mustWait);
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #tellReceipt(): void {
    const { app, listener, log } = this.#target;
    log.connection({
      connectionId: this.#connectionId,
      app,
      listener: listener.name,
      ...(this.#instance === undefined ? {} : { instance: this.#instance }),
      ...(this.#client === undefined ? {} : { client: this.#client }),
      lines: this.#pending.total,
      bytesIn: this.#bytesIn,
      bytesOut: this.#output.bytes,
      totalMs: this.#owner.now() - this.#openedAt,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
    });
  }
}

const stopping = { words: "the service stops", detail: "the host or its listener stopped" } as const;

function tooLong(lineBytesMax: number): Ending {
  const words = `a line is longer than ${formatSize(lineBytesMax)}, the limit of a line`;
  return { words, detail: words };
}

/** IPv4 without the IPv6 mapping; undefined on a unix socket. */
function clientAddress(address: string | undefined): string | undefined {
  if (address === undefined || address === "") return undefined;
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}
