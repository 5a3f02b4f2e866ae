/**
 * A client's connection: cuts what comes into requests, hands them to the gateway one after the other, and sees answers off.
 * Nothing is kept for it while it is idle but this object; what a client sends ahead is bounded by making it wait.
 */
import type { Socket } from "bun";
import type { Receipt } from "../telemetry/receipt.ts";
import { directOrigin, type Origin, type ToldOrigins, withBelieved, withoutForwarding } from "./forwarded.ts";
import type { BodySink, FrontHandler, FrontTunnel, HeaderList } from "./front.ts";
import { type BodyCutter, cutterOf } from "./http-body.ts";
import { type ExchangeConnection, HttpExchange } from "./http-exchange.ts";
import { parseHead, type RefusedHead, type RequestHead } from "./http-head.ts";
import { aheadBytesMax, type HttpLimits, skippedBytesMax } from "./http-limits.ts";
import { HttpOutput, type Piece } from "./http-output.ts";
import { type Phase, type PhaseEvent, phaseAfter } from "./http-phase.ts";
import { responseHead } from "./http-response-head.ts";
import { HttpTunnel, type TunnelConnection } from "./http-tunnel.ts";
import { type Problem, problemBody, problemMediaType, problemStatus } from "./problem.ts";

/** What connections share. */
export interface ConnectionContext {
  readonly handler: FrontHandler;
  readonly limits: HttpLimits;
  /** What trusted proxies tell of whom they ask for. */
  readonly origins: ToldOrigins;
  /** Every connection ends with its next answer. */
  readonly isDraining: boolean;
  /** `performance.now()` of the last sweep. */
  readonly nowMs: number;
  /** The Date header's value. */
  readonly date: string;
  refused(receipt: Receipt): void;
  defect(error: Error): void;
  closed(connection: HttpConnection): void;
}

/** So much of an answer waits for the loop's turn to be written together. */
const gatheredBytesMax = 64 * 1024;
/** What may wait for a client, at most: whoever writes on against a `write` that returned false is cut off. */
const unsentBytesMax = 64 * 1024 * 1024;

export class HttpConnection implements ExchangeConnection, TunnelConnection {
  readonly #context: ConnectionContext;
  readonly #socket: Socket<HttpConnection>;
  readonly #output: HttpOutput;
  #phase: Phase = "head";
  /** When the phase's time began to run, in the sweep's time. */
  #sinceMs: number;
  /** The peer's address, and whether it is a trusted proxy's: of who has made a request. */
  #peer: string | undefined;
  #isTrusted: boolean | undefined;
  /** Of the last request of a peer that is not trusted. */
  #origin: Origin | undefined;
  /** What has come and has not been read, from `#at` on; undefined: nothing. */
  #input: Buffer | undefined;
  #at = 0;
  /** Part of a request's head has come. */
  #isHeadBegun = false;
  #exchange: HttpExchange | undefined;
  /** What the connection has become. */
  #tunnel: HttpTunnel | undefined;
  /** The body of the request under way; undefined: it has none. */
  #body: BodyCutter | undefined;
  #sink: BodySink | undefined;
  #expectsContinue = false;
  #skippedBytes = 0;
  /** When the last answer was whole, in the sweep's time. */
  #answeredMs = 0;
  /** Whoever reads the body asked for a pause. */
  #isPaused = false;
  #isSocketPaused = false;
  /** No request is taken any more. */
  #isLast = false;
  /** The client may still be sending when we have said all. */
  #lingers = false;
  #peerEnded = false;
  #hasShutDown = false;
  #isAdvancing = false;
  #isDelivering = false;
  #isFlushPlanned = false;

  constructor(socket: Socket<HttpConnection>, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#output = new HttpOutput(socket);
    this.#sinceMs = context.nowMs;
  }

  get date(): string {
    return this.#context.date;
  }

  /** What waits of an answer that is whole: nobody else counts it any more. */
  get unsentBytes(): number {
    return this.#phase === "finishing" ? this.#output.pendingBytes : 0;
  }

  get answeredMs(): number {
    return this.#answeredMs;
  }

  // What the socket tells

  received(chunk: Buffer): void {
    if (this.#phase === "closed" || this.#phase === "lingering") return;
    this.#input = this.#input === undefined ? chunk : Buffer.concat([this.#input.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#advance();
  }

  /** The kernel takes more. */
  writable(): void {
    if (this.#phase === "closed" || !this.#output.isBlocked) return;
    this.#sinceMs = this.#context.nowMs;
    this.#output.unblock();
    this.#output.flush();
    if (this.#output.isBlocked) return;
    this.#exchange?.onWritable?.();
    this.#tunnel?.onWritable?.();
    this.#advance();
  }

  /** The client sends nothing any more. Whether it still reads cannot be told; nearly always it has left, where it speaks HTTP. */
  ended(): void {
    this.#peerEnded = true;
    if (this.#phase === "tunnel") this.#advance();
    else if (this.#phase === "finishing") {
      this.#isLast = true;
      this.#advance();
    } else this.#close();
  }

  /** The socket is closed, by whichever side. @param isBroken not by both of them having ended. */
  gone(isBroken: boolean): void {
    // Where we have ended before, the client's end is told by this alone.
    if (this.#hasShutDown && !isBroken) this.#tunnel?.clientEnded();
    if (this.#go("gone")) this.#leave();
  }

  // What the front wants

  /** Ends what has taken too long. @param nowMs `performance.now()` */
  sweep(nowMs: number): void {
    const { limits } = this.#context;
    const forMs = nowMs - this.#sinceMs;
    switch (this.#phase) {
      case "head":
        if (!this.#isHeadBegun) return forMs > limits.idleMs ? this.#close() : undefined;
        if (forMs > limits.headMs) {
          this.refuse({ refusal: { kind: "request-timeout", detail: `The request's head did not arrive within ${limits.headMs} ms` } });
        }
        return;
      case "finishing":
        return forMs > limits.stalledMs ? this.terminate() : undefined;
      case "lingering":
        return forMs > limits.lingerMs ? this.#close() : undefined;
      case "exchange":
      case "tunnel":
      case "closed":
        return;
    }
  }

  /** Closes it when it is idle; else it ends with its next answer. */
  drain(): void {
    if (this.#phase === "head" && !this.#isHeadBegun) this.#close();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Answers what is no request; the connection's last answer. */
  refuse({ refusal, method = "-", target = "-" }: RefusedHead): void {
    if (!this.#go("refused")) return;
    const status = problemStatus[refusal.kind];
    const { requestId, headers, body } = problemAnswer(refusal);
    const bytes = Buffer.byteLength(body);
    const isDropped = method === "HEAD";
    this.#output.sendWhole(responseHead({ status, headers }, bytes, "close", this.date), isDropped ? "" : body, isDropped ? 0 : bytes);
    this.#isLast = this.#lingers = true;
    this.#context.refused({
      requestId,
      exchangeId: requestId,
      method,
      path: target.split("?", 1)[0] ?? "",
      client: addressOf(this.#socket),
      status,
      error: refusal.kind,
      detail: refusal.detail,
      bytesIn: 0,
      bytesOut: isDropped ? 0 : bytes,
      totalMs: this.#isHeadBegun ? performance.now() - this.#sinceMs : 0,
    });
    this.#sinceMs = this.#context.nowMs;
    this.#advance();
  }

  // What the exchange wants

  /** A body that nobody reads must be skipped before the next request can be found: where that is long or uncertain, it is not. */
  get mustEnd(): boolean {
    if (this.#context.isDraining) return true;
    const body = this.#body;
    if (body === undefined || body.state === "whole") return false;
    return body.state === "malformed" || this.#expectsContinue || body.announcedBytes > skippedBytesMax;
  }

  read(sink: BodySink): void {
    if (this.#sink !== undefined) return;
    this.#sink = sink;
    if (this.#expectsContinue) {
      this.#expectsContinue = false;
      // RFC 9110 §10.1.1: not where the body is on its way already.
      if (!this.#hasInput()) this.#output.sendWhole("HTTP/1.1 100 Continue\r\n\r\n", "", 0);
    }
    this.#deliver();
    this.#advance();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#advance();
  }

  sendWhole(head: string | number, body: Piece, bodyBytes: number): void {
    this.#output.sendWhole(head, body, bodyBytes);
  }

  sendPieces(before: string, chunk?: Uint8Array, after?: string): boolean {
    const output = this.#output;
    if (before !== "") output.push(before);
    if (chunk !== undefined) output.push(chunk);
    if (after !== undefined) output.push(after);
    if (output.pendingBytes >= gatheredBytesMax) {
      if (output.pendingBytes > unsentBytesMax) return this.#overflow();
      output.flush();
    } else this.#flushSoon();
    return !output.isBlocked;
  }

  switched(head: string): FrontTunnel {
    if (!this.#go("switched")) return new HttpTunnel(undefined);
    const tunnel = (this.#tunnel = new HttpTunnel(this));
    this.#exchange = this.#sink = undefined;
    this.#isPaused = false;
    this.#output.sendWhole(head, "", 0);
    // What came behind the request is told when whoever asked for the tunnel has it.
    queueMicrotask(() => this.#advance());
    return tunnel;
  }

  tunnelChanged(): void {
    this.#advance();
  }

  answered(isLast: boolean): void {
    if (!this.#go("answered")) return;
    this.#exchange = undefined;
    this.#sink = undefined;
    this.#isPaused = false;
    if (isLast) this.#isLast = true;
    this.#sinceMs = this.#answeredMs = this.#context.nowMs;
    this.#advance();
  }

  breakOff(isReset: boolean): void {
    if (isReset) return this.terminate();
    this.#output.flush();
    this.#close();
  }

  defect(error: Error): void {
    this.#context.defect(error);
  }

  flush(): void {
    this.#isFlushPlanned = false;
    if (this.#phase === "closed") return;
    this.#output.flush();
    if (this.#phase === "finishing" || this.#tunnel?.hasEnded === true) this.#advance();
  }

  // Forward

  /** Goes on as far as what has come allows. What happens on the way (an answer, a pause) is seen by the loop. */
  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    while (this.#step());
    this.#isAdvancing = false;
    this.#settle();
  }

  /** Whether there may be more to do. */
  #step(): boolean {
    switch (this.#phase) {
      case "head":
        return this.#readHead();
      case "exchange":
        this.#deliver();
        return (this.#phase as Phase) !== "exchange";
      case "finishing":
        return this.#finish();
      case "tunnel":
        return this.#tunnel !== undefined && this.#carry(this.#tunnel);
      case "lingering":
      case "closed":
        return false;
    }
  }

  #readHead(): boolean {
    const input = this.#input;
    if (input === undefined || this.#at === input.length) return false;
    const head = parseHead(input, this.#at);
    if (head === undefined) {
      if (this.#isHeadBegun) return false;
      this.#isHeadBegun = true;
      this.#sinceMs = this.#context.nowMs;
      return false;
    }
    if ("refusal" in head) {
      this.refuse(head);
      return true;
    }
    this.#at = head.end;
    this.#go("request");
    this.#isHeadBegun = false;
    this.#body = head.framing === 0 ? undefined : cutterOf(head.framing);
    this.#expectsContinue = head.expectsContinue;
    this.#handle(this.#exchangeOf(head));
    return true;
  }

  #exchangeOf(head: RequestHead): HttpExchange {
    if (this.#isTrusted === undefined) {
      this.#peer = addressOf(this.#socket);
      this.#isTrusted = this.#peer !== undefined && this.#context.origins.trusts(this.#peer);
    }
    if (!head.isForwarded) return new HttpExchange(head, this.#directOrigin(head.host), this);
    if (!this.#isTrusted || this.#peer === undefined) {
      return new HttpExchange({ ...head, headers: withoutForwarding(head.headers) }, this.#directOrigin(head.host), this);
    }
    const origin = this.#context.origins.of(this.#peer, head.host, head.headers);
    return new HttpExchange({ ...head, headers: withBelieved(head.headers, origin) }, origin, this);
  }

  #directOrigin(host: string | undefined): Origin {
    const known = this.#origin;
    return known !== undefined && known.host === host ? known : (this.#origin = directOrigin(this.#peer, host));
  }

  #handle(exchange: HttpExchange): void {
    this.#exchange = exchange;
    try {
      this.#context.handler(exchange);
    } catch (error) {
      this.#context.defect(error instanceof Error ? error : new Error(String(error)));
      if (exchange.hasBegun) return exchange.breakOff();
      const { headers, body } = problemAnswer({ kind: "host-failure", detail: "The host failed on this request; its log says how" });
      exchange.respond(problemStatus["host-failure"], headers, body);
    }
  }

  /** Gives what has come of the body to whoever reads it. */
  #deliver(): void {
    if (this.#isDelivering || this.#sink === undefined) return;
    this.#isDelivering = true;
    while (this.#sink !== undefined && !this.#isPaused && this.#deliverNext(this.#sink));
    this.#isDelivering = false;
  }

  #deliverNext(sink: BodySink): boolean {
    const body = this.#body;
    if (body === undefined || body.state === "whole") {
      this.#sink = undefined;
      sink.end(body?.trailers);
      return false;
    }
    if (body.state === "malformed") {
      this.#sink = undefined;
      sink.failed("malformed");
      return false;
    }
    if (!this.#hasInput()) return false;
    const piece = body.next(this.#input as Buffer, this.#at);
    this.#at = body.at;
    if (piece !== undefined) sink.chunk(piece);
    return true;
  }

  /** Goes on with a tunnel. */
  #carry(tunnel: HttpTunnel): boolean {
    if (this.#hasInput()) {
      if (tunnel.isPaused) return false;
      const chunk = (this.#input as Buffer).subarray(this.#at);
      this.#at = (this.#input as Buffer).length;
      tunnel.received(chunk);
      return true;
    }
    if (this.#peerEnded) tunnel.clientEnded();
    if (!tunnel.hasEnded || this.#output.pendingBytes > 0) return false;
    if (this.#peerEnded) this.#close();
    else if (!this.#hasShutDown) {
      this.#hasShutDown = true;
      this.#socket.shutdown();
    }
    return false;
  }

  #finish(): boolean {
    this.#skip();
    if (this.#output.pendingBytes > 0) return false;
    const body = this.#body;
    const isOpen = body !== undefined && body.state !== "whole";
    if (this.#context.isDraining) this.#isLast = true;
    if (this.#isLast) this.#sayLast(isOpen);
    if (this.#isLast || isOpen) return false;
    this.#body = undefined;
    this.#skippedBytes = 0;
    this.#sinceMs = this.#context.nowMs;
    return this.#go("finished");
  }

  /** What is left of a body that nobody wants. */
  #skip(): void {
    const body = this.#body;
    while (body !== undefined && body.state === "open" && this.#hasInput() && !this.#isLast) {
      const before = this.#at;
      body.next(this.#input as Buffer, before);
      this.#at = body.at;
      this.#skippedBytes += this.#at - before;
      if (this.#skippedBytes > skippedBytesMax) this.#isLast = true;
    }
    if (body?.state === "malformed") this.#isLast = true;
  }

  /** @param isBodyOpen the client is still sending. */
  #sayLast(isBodyOpen: boolean): void {
    const isSending = this.#lingers || isBodyOpen || this.#hasInput() || this.#isSocketPaused;
    if (this.#peerEnded || !isSending) return this.#close();
    // Closed with bytes unread, the kernel would answer with a reset that takes the answer away from the client.
    this.#go("said-last");
    this.#sinceMs = this.#context.nowMs;
    this.#input = undefined;
    this.#socket.shutdown();
  }

  /** After a step: forgets what has been read, and makes the client wait or go on. */
  #settle(): void {
    const input = this.#input;
    let aheadBytes = 0;
    if (input !== undefined) {
      aheadBytes = input.length - this.#at;
      if (aheadBytes === 0) this.#input = undefined;
    }
    const isFull = this.#mustWait(aheadBytes);
    if (isFull === this.#isSocketPaused || this.#phase === "closed") return;
    this.#isSocketPaused = isFull;
    if (isFull) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Whether the client is not to send any more for now. @param aheadBytes of it that nobody has taken. */
  #mustWait(aheadBytes: number): boolean {
    if (this.#phase === "lingering") return false;
    if (this.#tunnel !== undefined) return this.#tunnel.isPaused;
    return aheadBytes > (this.#sink === undefined ? aheadBytesMax : 0);
  }

  #hasInput(): boolean {
    return this.#input !== undefined && this.#at < this.#input.length;
  }

  #flushSoon(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    if (soon.push(this) === 1) queueMicrotask(flushAll);
  }

  #overflow(): boolean {
    this.#context.defect(
      new Error(`An answer was written on against a client that does not read: ${this.#output.pendingBytes} bytes wait`),
    );
    if (this.#tunnel === undefined) this.#exchange?.breakOff();
    else this.terminate();
    return false;
  }

  // Ends

  #close(): void {
    if (!this.#go("gone")) return;
    this.#socket.end();
    this.#leave();
  }

  #leave(): void {
    const exchange = this.#exchange;
    const tunnel = this.#tunnel;
    this.#exchange = this.#sink = this.#body = this.#input = this.#tunnel = undefined;
    this.#output.discard();
    this.#context.closed(this);
    exchange?.gone();
    tunnel?.gone();
  }

  /** Whether the event could happen. */
  #go(event: PhaseEvent): boolean {
    const next = phaseAfter(this.#phase, event);
    if (next === undefined) return false;
    this.#phase = next;
    return true;
  }
}

/** Connections with something to write. They do so when whatever runs now is done: pieces that came together go out together. */
const soon: HttpConnection[] = [];

function flushAll(): void {
  for (const connection of soon.splice(0)) connection.flush();
}

interface ProblemAnswer {
  readonly requestId: string;
  readonly headers: HeaderList;
  readonly body: string;
}

function problemAnswer(problem: Problem): ProblemAnswer {
  const requestId = crypto.randomUUID();
  const headers = ["content-type", problemMediaType, "x-urocket-error", problem.kind, "x-request-id", requestId];
  for (const [name, value] of Object.entries(problem.headers ?? {})) headers.push(name.toLowerCase(), value);
  return { requestId, headers, body: problemBody(problem, requestId) };
}

/** IPv4 without the IPv6 mapping. */
function addressOf(socket: Socket<HttpConnection>): string | undefined {
  const address: string | undefined = socket.remoteAddress;
  return address !== undefined && address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
