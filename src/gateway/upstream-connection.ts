/**
 * A connection to an instance's daemon: one request at a time goes over it, and the reply to it comes back. It is kept for the next
 * one only when both were whole and nothing came behind the reply; whatever else happens ends it.
 */
import type { HeaderList } from "./front.ts";
import { HttpOutput, page } from "./http-output.ts";
import type { ReplyHead } from "./http-reply-head.ts";
import { trailerLines } from "./http-response-head.ts";
import { ResponseReader, type ResponseSink } from "./http-response-reader.ts";
import { keptMs, replyHeaders } from "./service-reply.ts";
import { type ServiceRequest, writeRequestHead } from "./service-request.ts";
import type { UpstreamWire, WireUser } from "./upstream-wire.ts";

/** Whoever has a request for the daemon: told of its reply as `ResponseSink` says, once `connected`. */
export interface UpstreamUser extends ResponseSink {
  connected(connection: UpstreamConnection): void;
  /** There is no connection, and nothing was sent: as `WireUser` is told. */
  unreachable(detail: string, isOurs?: boolean): void;
  /** More of the request can be written. */
  writable(): void;
}

/** Whoever has the connection when it is no longer HTTP. */
export interface TunnelUser {
  received(chunk: Uint8Array): void;
  writable(): void;
  /** The daemon has half-closed. */
  ended(): void;
  /** It is closed, once. */
  gone(): void;
}

/** Where connections are kept. */
export interface UpstreamKeeper {
  readonly instance: string;
  /** Takes one that can be used again. */
  keep(connection: UpstreamConnection): void;
  /** One that was kept is of no use any more. */
  lost(connection: UpstreamConnection): void;
}

type Phase = "connecting" | "idle" | "busy" | "tunnel" | "closed";

const noText = "";
const lastChunk = "0\r\n\r\n";

export class UpstreamConnection implements WireUser {
  /** When it was kept, in the keeper's time, and for how long the daemon keeps it. */
  idleSinceMs = 0;
  keptMs = Infinity;
  readonly #keeper: UpstreamKeeper;
  readonly #reader = new ResponseReader();
  #phase: Phase = "connecting";
  #user: UpstreamUser | undefined;
  #tunnel: TunnelUser | undefined;
  #wire: UpstreamWire | undefined;
  #output: HttpOutput | undefined;
  #served = 0;
  /** The request has been written to its end. */
  #isSent = false;
  #isChunked = false;
  #isPaused = false;
  /** The daemon has said its last. */
  #isEnded = false;
  /** Our side is half-closed when what waits has gone. */
  #shutsDown = false;
  #head: ReplyHead | undefined;
  #headers: string[] = [];

  /** @param user is told when it is there. */
  constructor(keeper: UpstreamKeeper, user: UpstreamUser) {
    this.#keeper = keeper;
    this.#user = user;
  }

  /** It has served a request before: that the daemon has closed it meanwhile says nothing of the daemon. */
  get isReused(): boolean {
    return this.#served > 1;
  }

  /** Something of the reply has come. */
  get hasBegun(): boolean {
    return this.#reader.hasBegun;
  }

  /** It was closed by the daemon, or broke. */
  get isLost(): boolean {
    return this.#isEnded;
  }

  // For its user

  /**
   * Sends a request, as far as it is there.
   * @param content the whole of its body; absent: it follows by `write`, or there is none.
   */
  send(request: ServiceRequest, content: Uint8Array | undefined, user: UpstreamUser): void {
    const { method, upgrade } = request.front;
    this.#phase = "busy";
    this.#user = user;
    this.#served++;
    this.#isSent = content !== undefined || request.body === "none";
    this.#isChunked = request.body === "chunked";
    this.#reader.begin(method, upgrade !== undefined, user);
    const headBytes = writeRequestHead(page, request);
    if (content === undefined) this.#output?.sendWhole(headBytes, noText, 0);
    else this.#output?.sendWhole(headBytes, content, content.byteLength);
  }

  /** More of the request's body, or of a tunnel. False: wait for `writable`. */
  write(chunk: Uint8Array, last: boolean, trailers?: HeaderList): boolean {
    const output = this.#output;
    if (output === undefined || this.#phase === "closed") return true;
    if (!this.#isChunked) {
      if (chunk.byteLength > 0) output.push(chunk);
    } else {
      if (chunk.byteLength > 0) {
        output.push(`${chunk.byteLength.toString(16)}\r\n`);
        output.push(chunk);
        output.push("\r\n");
      }
      if (last) output.push(trailers === undefined ? lastChunk : `0\r\n${trailerLines(trailers)}\r\n`);
    }
    if (last) this.#isSent = true;
    output.flush();
    return !output.isBlocked;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#wire?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#wire?.resume();
  }

  /**
   * The reply's headers as a client may have them, without the length of its body where that is a number, with its request's id.
   * @returns the same list again for the same head: it is good until the next reply.
   */
  headersOf(head: ReplyHead, requestId: string): readonly string[] {
    let headers = this.#headers;
    if (head !== this.#head) {
      this.#head = head;
      this.keptMs = keptMs(head.headers);
      headers = this.#headers = [...replyHeaders(head), "x-urocket-instance", this.#keeper.instance, "x-request-id", ""];
    }
    headers[headers.length - 1] = requestId;
    return headers;
  }

  /** It is not needed any more: kept for the next request where it can be, because request and reply were whole, and closed otherwise. */
  release(): void {
    // Nobody waits for it any more.
    if (this.#phase === "connecting") return this.terminate();
    if (this.#phase === "closed" || this.#phase === "idle") return;
    if (this.#phase !== "busy" || !this.#isSent || this.#isEnded || !this.#reader.isReusable || (this.#output?.pendingBytes ?? 0) > 0)
      return this.terminate();
    this.resume();
    this.#user = undefined;
    this.#phase = "idle";
    this.#keeper.keep(this);
  }

  /** From now on its bytes are the tunnel's. */
  becomeTunnel(tunnel: TunnelUser): void {
    if (this.#phase !== "busy") return;
    this.#phase = "tunnel";
    this.#tunnel = tunnel;
    this.#user = undefined;
    this.#isChunked = false;
  }

  /** Half-closes a tunnel when what was written has gone. */
  end(): void {
    this.#shutsDown = true;
    this.#shutDown();
  }

  /** Closes it at once. Nothing is told any more. */
  terminate(): void {
    if (this.#phase === "closed") return;
    this.#leave();
    this.#wire?.terminate();
  }

  // What the wire tells

  opened(wire: UpstreamWire): void {
    this.#wire = wire;
    if (this.#phase === "closed") return void wire.terminate();
    this.#output = new HttpOutput(wire);
    this.#user?.connected(this);
  }

  unreachable(detail: string, isOurs = false): void {
    const user = this.#user;
    if (this.#phase !== "connecting") return;
    this.#leave();
    user?.unreachable(detail, isOurs);
  }

  received(chunk: Buffer): void {
    if (this.#phase === "busy") this.#reader.received(chunk);
    else if (this.#phase === "tunnel") this.#tunnel?.received(chunk);
    // Bytes that nobody asked for would be taken for the next reply.
    else this.#lose();
  }

  writable(): void {
    const output = this.#output;
    if (output === undefined || this.#phase === "closed" || !output.isBlocked) return;
    output.unblock();
    output.flush();
    if (output.isBlocked) return;
    this.#shutDown();
    if (this.#phase === "tunnel") this.#tunnel?.writable();
    else this.#user?.writable();
  }

  ended(): void {
    if (this.#isEnded || this.#phase === "closed") return;
    this.#isEnded = true;
    if (this.#phase === "tunnel") return this.#tunnel?.ended();
    if (this.#phase === "busy") this.#reader.ended();
    this.#lose();
  }

  gone(): void {
    const phase = this.#phase;
    if (phase === "closed") return;
    const user = this.#user;
    const tunnel = this.#tunnel;
    this.#isEnded = true;
    this.#lose();
    if (phase === "tunnel") tunnel?.gone();
    else if (phase === "connecting") user?.unreachable("the connection was reset");
    else if (phase === "busy")
      user?.broken(this.hasBegun ? "The connection broke before the reply was whole" : "The connection broke before a reply");
  }

  #lose(): void {
    if (this.#phase === "idle") this.#keeper.lost(this);
    this.terminate();
  }

  #shutDown(): void {
    if (!this.#shutsDown || (this.#output?.pendingBytes ?? 0) > 0) return;
    this.#shutsDown = false;
    this.#wire?.shutdown();
  }

  #leave(): void {
    this.#phase = "closed";
    this.#reader.abandon();
    this.#output?.discard();
    this.#user = this.#tunnel = undefined;
  }
}
