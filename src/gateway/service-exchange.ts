/**
 * An exchange with the app's own daemon: finds it a place at an instance, sends the request over a connection that waits or a new
 * one, and passes the reply on as it comes. What fails before anything of a reply is there is tried once more, elsewhere, where that
 * cannot do anything twice.
 */
import type { LimitName } from "../core/limit-name.ts";
import { serverTiming } from "../telemetry/server-timing.ts";
import type { FailureReason, OpenPlace, PlaceOutcome, PlaceSink, ServicePlace } from "./dispatch.ts";
import { Exchange, type ExchangeContext } from "./exchange.ts";
import type { Served } from "./exchange-receipt.ts";
import { doing } from "./exchange-state.ts";
import type { HeaderList } from "./front.ts";
import type { ReplyHead } from "./http-reply-head.ts";
import { type Judgement, JudgedReply } from "./judged-reply.ts";
import type { HandledOperation } from "./operation.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { Problem } from "./problem.ts";
import { interimHeaders, replyHeaders, switchHeaders } from "./service-reply.ts";
import type { ServiceRequest } from "./service-request.ts";
import { ServiceTunnel, type TunnelEvents } from "./service-tunnel.ts";
import { bodyWay, contractRefusal, isIdempotent, isSafe } from "./service-validation.ts";
import { StreamedBody } from "./streamed-body.ts";
import type { UpstreamConnection, UpstreamUser } from "./upstream-connection.ts";
import type { UpstreamConnections, UpstreamPool } from "./upstream-connections.ts";

/** What exchanges with daemons share besides. */
export interface ServiceContext extends ExchangeContext {
  readonly upstreams: UpstreamConnections;
}

/** A daemon next door takes a connection within microseconds: it is as good as dead when it does not, in ms. */
const connectMsMax = 5_000;
/** RFC 9110 §10.1.1: nobody waits for ever to be told to go on with a body, in ms. */
const continueMsMax = 1_000;
/** Instances that a request is sent to. */
const sendsMax = 2;
/** Instances that are asked to take it: one that takes no connection has been sent nothing. */
const attemptsMax = 8;

/** What the daemon's side waits for. */
type Awaited = "place" | "connection" | "continue" | "reply";

export class ServiceExchange extends Exchange implements PlaceSink, UpstreamUser, TunnelEvents {
  readonly #upstreams: UpstreamConnections;
  #awaited: Awaited = "place";
  /** When a connection, or leave to send the body, was asked for. */
  #askedAt = 0;
  #searches = 0;
  #search: OpenPlace | undefined;
  #place: ServicePlace | undefined;
  #attempts = 0;
  /** Instances that it was sent to, and the last of them. */
  #sends = 0;
  #sentTo: string | undefined;
  /** Instances that failed on it; undefined: none, which is nearly always. */
  #failed: string[] | undefined;
  #connection: UpstreamConnection | undefined;
  /** The request's body, held whole. */
  #content: Uint8Array | undefined;
  /** The request's body where it goes on as it comes. */
  #upload: StreamedBody | undefined;
  #uploadedBytes = 0;
  /** From when on the reply's head is waited for: the request's arrival, or its body's last progress. */
  #waitsSince: number;
  #sentAt = 0;
  #serviceMs: number | undefined;
  #judged: JudgedReply | undefined;
  #tunnel: ServiceTunnel | undefined;
  /** Something was said since the last tick. */
  #isActive = false;
  #quietSince = Infinity;

  constructor(context: ServiceContext, incoming: IncomingRequest, operation: HandledOperation, values: readonly string[]) {
    super(context, incoming, operation, values);
    this.#upstreams = context.upstreams;
    this.#waitsSince = incoming.receivedAt;
  }

  // Incoming

  protected receive(): void {
    switch (bodyWay(this.front, this.operation)) {
      case "none":
        return this.prepareWith(undefined);
      case "whole":
        return this.readWhole();
      case "streamed":
    }
    const { bodyBytesMax } = this.operation.app.limits;
    this.#upload = new StreamedBody(this.front, bodyBytesMax, (problem) => this.#giveUp(problem, "untold"));
    if (!this.#upload.tooLarge) this.prepareWith(undefined);
  }

  protected prepare(body: Uint8Array | undefined): Problem | undefined {
    this.#content = body;
    const { contract } = this.operation;
    return contract === undefined ? undefined : contractRefusal(this.incoming, this.operation, this.rawParameters(), body);
  }

  // To an instance

  protected dispatch(): void {
    this.#find();
  }

  #find(): void {
    this.#awaited = "place";
    const number = ++this.#searches;
    const search = this.operation.app.dispatch.place(this, this.#failed);
    // It may have been found, or not, before the call returned, and another one be looked for.
    if (number === this.#searches && this.#awaited === "place" && this.holdsPlace) this.#search = search;
  }

  placed(place: ServicePlace): void {
    this.#search = undefined;
    this.#place = place;
    this.instance = place.instance;
    this.#attempts++;
    const pool = this.#upstreams.of(place.upstream);
    const waiting = pool.take(this.#isHeld && isIdempotent(this.front.method));
    if (waiting === undefined) this.#open(pool);
    else this.connected(waiting);
  }

  override failed(reason: FailureReason, detail: string, advice?: string, limit?: LimitName): void {
    this.#search = undefined;
    super.failed(reason, detail, advice, limit);
    this.leave();
  }

  #open(pool: UpstreamPool): void {
    this.#awaited = "connection";
    this.#askedAt = performance.now();
    const connection = pool.open(this);
    if (this.#awaited === "connection") this.#connection = connection;
  }

  connected(connection: UpstreamConnection): void {
    this.#connection = connection;
    this.#sentAt = performance.now();
    if (this.#sentTo !== this.instance) this.#sends++;
    this.#sentTo = this.instance;
    const { front } = this;
    const upload = this.#upload;
    const content = this.#content;
    const expectsContinue = upload !== undefined && front.get("expect") !== null;
    const request: ServiceRequest = {
      front,
      requestId: this.incoming.requestId,
      host: front.get("host") ?? front.host ?? this.#defaultHost(),
      body: upload === undefined ? (content?.byteLength ?? "none") : (front.contentLength ?? "chunked"),
      expectsContinue,
      omitted: this.operation.handler.validateOut ? "accept-encoding" : undefined,
    };
    this.#awaited = expectsContinue ? "continue" : "reply";
    this.#askedAt = this.#sentAt;
    connection.send(request, content, this);
    if (!expectsContinue) upload?.flowTo(connection);
  }

  /** What a client of HTTP/1.0 that names no host would have named. */
  #defaultHost(): string {
    const address = this.#place?.upstream.address;
    if (address === undefined) return "localhost";
    return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  }

  writable(): void {
    this.#upload?.writable();
  }

  // From the daemon

  interim(status: number, headers: HeaderList): void {
    if (status === 100) this.#goOn();
    else this.front.inform(status, interimHeaders(headers));
  }

  /** The daemon wants the body, or has said nothing of it for long enough. */
  #goOn(): void {
    if (this.#awaited !== "continue" || this.#connection === undefined) return;
    this.#awaited = "reply";
    this.#upload?.flowTo(this.#connection);
  }

  head(head: ReplyHead, body: Uint8Array, last: boolean, trailers: HeaderList | undefined): void {
    const connection = this.#connection;
    if (connection === undefined || this.step("reply") === undefined) return;
    this.#serviceMs = performance.now() - this.#sentAt;
    if (this.#isToJudge(head.status)) return this.#startJudging(head, body, last);
    const headers = this.#headersOf(connection, head, last);
    if (last && trailers === undefined) this.#respondWhole(head.status, headers, body);
    else this.#respondPiecemeal(head.status, headers, body, last, trailers);
  }

  /** Most answers have those of the reply and nothing else. */
  #headersOf(connection: UpstreamConnection, head: ReplyHead, last: boolean): HeaderList {
    const headers = connection.headersOf(head, this.incoming.requestId);
    const tellsLength = typeof head.framing === "number" && (!last || this.front.method === "HEAD");
    if (!tellsLength && !this.context.timing) return headers;
    const more = tellsLength ? [...headers, "content-length", String(head.framing)] : [...headers];
    if (this.context.timing) more.push("server-timing", this.serverTiming());
    return more;
  }

  data(chunk: Uint8Array, last: boolean, trailers: HeaderList | undefined): void {
    this.#isActive = true;
    if (this.#judged !== undefined) this.#judge(this.#judged, chunk, last);
    else this.#pass(chunk, last, trailers);
  }

  #respondWhole(status: number, headers: HeaderList, body: Uint8Array): void {
    this.#release("sound");
    this.countSent(status, body.byteLength);
    this.front.respond(status, headers, body);
    this.finish({ status });
    this.leave();
  }

  #respondPiecemeal(status: number, headers: HeaderList, body: Uint8Array, last: boolean, trailers: HeaderList | undefined): void {
    this.streams = true;
    this.verdict = { status };
    this.front.onWritable = () => this.#clientTookAll();
    this.front.begin(status, headers);
    this.#pass(body, last, trailers);
  }

  #pass(chunk: Uint8Array, last: boolean, trailers: HeaderList | undefined): void {
    const { status } = this.verdict;
    this.countSent(status, chunk.byteLength);
    if (chunk.byteLength > 0 && !this.front.write(chunk) && !last) this.#connection?.pause();
    if (!last) return;
    this.#release("sound");
    this.front.end(trailers);
    this.finish({ status });
    this.leave();
  }

  #clientTookAll(): void {
    this.#isActive = true;
    this.#connection?.resume();
  }

  // A reply that the contract judges before it is sent

  /** Answers to HEAD have no body to judge, and 304 stands for a reply that was judged. */
  #isToJudge(status: number): boolean {
    const { handler, contract } = this.operation;
    return handler.validateOut && contract !== undefined && this.front.method !== "HEAD" && status !== 304;
  }

  #startJudging(head: ReplyHead, body: Uint8Array, last: boolean): void {
    const { contract, app } = this.operation;
    if (contract === undefined) return;
    const { bodyBytesMax } = app.limits;
    const headersOf = () => ({ ok: true, headers: replyHeaders(head) }) as const;
    this.#judged = new JudgedReply(head.status, headersOf, { contract, bodyBytesMax, budget: this.context.budget });
    this.#judge(this.#judged, body, last);
  }

  #judge(judged: JudgedReply, chunk: Uint8Array, last: boolean): void {
    const untaken = judged.collect(chunk);
    if (untaken !== undefined) return this.#giveUp(untaken, "sound");
    if (!last) return;
    let judgement: Judgement;
    try {
      judgement = judged.judge();
    } catch (error) {
      return this.fail(error);
    }
    if (judgement.ok) this.#respondWhole(judged.status, this.mark(judgement.headers), judgement.body);
    else this.#giveUp(judgement.problem, "sound");
  }

  // Another protocol

  switched(head: ReplyHead, rest: Uint8Array): void {
    const connection = this.#connection;
    if (connection === undefined || this.step("reply") === undefined) return;
    this.#serviceMs = performance.now() - this.#sentAt;
    this.streams = true;
    this.verdict = { status: 101 };
    const client = this.front.switchProtocols(this.mark(switchHeaders(head.headers)));
    this.#tunnel = new ServiceTunnel(client, connection, this);
    this.#tunnel.start(rest);
  }

  passed(bytesIn: number, bytesOut: number): void {
    this.#isActive = true;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }

  /** Of a tunnel. */
  over(): void {
    this.#release("sound");
    this.finish({ status: 101 });
    this.leave();
  }

  protected override breakOff(): void {
    if (this.#tunnel === undefined) this.front.breakOff();
    else this.#tunnel.close();
  }

  // What goes wrong

  unreachable(reason: string, isOurs = false): void {
    const detail = `The service cannot be reached: ${lowerFirst(reason)}`;
    // No other instance could be reached either, and none is to blame.
    if (isOurs) this.#giveUp({ kind: "too-many-connections", detail, headers: { "Retry-After": "1" } }, "untold");
    else if (this.#mayGoElsewhere) this.#tryElsewhere();
    else this.#giveUp({ kind: "service-failed", detail }, "failed");
  }

  broken(detail: string): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { isLost, isReused, hasBegun } = connection;
    if (this.state === "replying") return this.#brokenMidway(detail, isLost);
    if (!hasBegun && this.#isHeld) {
      // It was closed before the request came: that says nothing of the daemon.
      if (isReused && isIdempotent(this.front.method)) return this.#tryAfresh(connection);
      if (this.#mayGoElsewhere) return this.#tryElsewhere();
    }
    const problem: Problem = isLost
      ? { kind: "service-failed", detail: `The service failed: ${lowerFirst(detail)}` }
      : { kind: "bad-reply", detail };
    this.#giveUp(problem, "failed");
  }

  #brokenMidway(detail: string, isLost: boolean): void {
    const kind = this.streams ? "reply-aborted" : isLost ? "service-failed" : "bad-reply";
    this.#giveUp({ kind, detail: `The service broke its reply off: ${lowerFirst(detail)}` }, "failed");
  }

  lost(detail: string, limit?: LimitName): void {
    const hasBegun = this.#connection?.hasBegun === true;
    this.#place = undefined;
    this.#release("failed");
    if (!hasBegun && this.#mayGoElsewhere) return this.#findAnother();
    super.failed("runner-died", detail, undefined, limit);
    this.leave();
  }

  /** The request can be sent again: all of it is there. */
  get #isHeld(): boolean {
    return this.#upload === undefined;
  }

  /** Another instance is tried: nothing was sent to anybody yet, or sending it again cannot do anything twice. */
  get #mayGoElsewhere(): boolean {
    const maySend = this.#sends === 0 || (this.#sends < sendsMax && this.#isHeld && isSafe(this.front.method));
    return maySend && this.#attempts < attemptsMax;
  }

  #tryAfresh(connection: UpstreamConnection): void {
    const place = this.#place;
    connection.terminate();
    this.#connection = undefined;
    if (place !== undefined) this.#open(this.#upstreams.of(place.upstream));
  }

  #tryElsewhere(): void {
    this.#release("failed");
    this.#findAnother();
  }

  #findAnother(): void {
    if (this.instance !== undefined) (this.#failed ??= []).push(this.instance);
    this.#find();
  }

  #giveUp(problem: Problem, outcome: PlaceOutcome): void {
    // A daemon that the kernel killed is heard of by its connections first.
    const reached = outcome === "failed" ? this.#place?.reachedLimit?.(this.#askedAt) : undefined;
    this.limit = reached?.limit;
    this.#release(outcome);
    this.refuse(reached === undefined ? problem : { ...problem, detail: `${problem.detail}: ${reached.words}` });
    if (this.holdsPlace) this.leave();
  }

  protected cut(): void {
    this.#end(this.#serviceMs === undefined ? "untold" : "sound");
  }

  protected abandoned(): void {
    this.#end("untold");
  }

  #end(outcome: PlaceOutcome): void {
    this.#search?.withdraw();
    this.#search = undefined;
    this.#release(outcome);
    if (this.holdsPlace) this.leave();
  }

  /** Gives connection and place back. */
  #release(outcome: PlaceOutcome): void {
    const connection = this.#connection;
    const place = this.#place;
    this.#connection = this.#place = undefined;
    connection?.release();
    place?.release(outcome);
  }

  // Time

  override tick(nowMs: number): void {
    const upload = this.#upload;
    if (upload !== undefined && upload.bytes !== this.#uploadedBytes) {
      this.#uploadedBytes = upload.bytes;
      this.#waitsSince = nowMs;
      this.#isActive = true;
    }
    if (this.state === "replying") return this.#tickReply(nowMs);
    if (this.isExpired(nowMs)) return this.expire();
    if (this.#awaited === "reply" || this.state !== "dispatched") return;
    const forMs = nowMs - this.#askedAt;
    if (this.#awaited === "continue" && forMs >= continueMsMax) this.#goOn();
    if (this.#awaited === "connection" && forMs >= connectMsMax) {
      this.#connection?.terminate();
      this.unreachable(`it took no connection within ${connectMsMax} ms`);
    }
  }

  #tickReply(nowMs: number): void {
    this.#tunnel?.tick(nowMs);
    if (this.#isActive || this.#quietSince === Infinity) {
      this.#isActive = false;
      this.#quietSince = nowMs;
      return;
    }
    const idleMs = this.operation.app.service?.idleMs ?? Infinity;
    if (nowMs - this.#quietSince < idleMs) return;
    this.#giveUp({ kind: "deadline", detail: `Neither side said anything for ${idleMs} ms (service.idle)` }, "untold");
  }

  protected override isExpired(nowMs: number): boolean {
    return nowMs - this.#waitsSince >= this.operation.handler.timeoutMs;
  }

  protected override expire(): void {
    const outcome = this.#upload?.awaitsClient === true ? "untold" : "silent";
    this.refuseDeadline();
    this.#end(outcome);
  }

  protected strain(sinceMs: number): string | undefined {
    return this.#place?.strain?.(sinceMs);
  }

  protected doing(): string {
    if (this.state !== "dispatched") return doing(this.state, "service");
    switch (this.#awaited) {
      case "place":
        return "an instance with room for the request was waited for";
      case "connection":
        return "a connection to the service was made";
      case "continue":
      case "reply":
        return "the service's reply was waited for";
    }
  }

  // What is told

  protected timing(totalMs: number, queueMs: number | undefined): string {
    return serverTiming({ totalMs, queueMs, serviceMs: this.#serviceMs });
  }

  protected served(): Served {
    return { serviceMs: this.#serviceMs, attempts: this.#attempts > 1 ? this.#attempts : undefined, limit: this.limit };
  }

  protected forget(): void {
    this.#content = undefined;
    this.#judged?.release();
    const upload = this.#upload;
    if (upload === undefined) return;
    upload.abandon();
    this.bytesIn = upload.bytes;
  }
}

/** A sentence as a clause. */
function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
