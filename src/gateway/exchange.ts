/**
 * One request on its way through: body → validation → place → instance → reply → response → receipt. It owns everything
 * that the request holds (its place, its memory, its entry at the ticker, the instance's work) and gives all of it back
 * whichever way it ends: reply, refusal, deadline, client gone.
 */
import { emptyRecord } from "../core/record.ts";
import type { Ticked, Ticker } from "../core/ticker.ts";
import type { Log, ProgramReceipt } from "../telemetry/receipt.ts";
import { serverTiming } from "../telemetry/server-timing.ts";
import type { Applicant } from "./admission.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { DispatchReply, DispatchSink, FailureReason, OpenExchange } from "./dispatch.ts";
import { toDispatchRequest } from "./dispatch-request.ts";
import { toReceipt, type Verdict } from "./exchange-receipt.ts";
import { doing, type ExchangeEvent, type ExchangeState, transition } from "./exchange-state.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import { type Judgement, JudgedReply } from "./judged-reply.ts";
import type { HandledOperation } from "./operation.ts";
import { type Payload, payloadOf } from "./payload.ts";
import { logDetail, type Problem, problemBody, problemStatus } from "./problem.ts";
import { failureProblem, problemResponse } from "./problem-response.ts";
import { isBodyless, replyHeaders } from "./reply-headers.ts";
import { ReplyStream } from "./reply-stream.ts";
import { announcesBody, readRequestBody } from "./request-body.ts";

/** What exchanges share. */
export interface ExchangeContext {
  readonly ticker: Ticker;
  readonly budget: BodyBudget;
  readonly log: Log;
  /** Whether responses carry `Server-Timing`. */
  readonly timing: boolean;
}

export class Exchange implements Ticked, Applicant, DispatchSink {
  readonly #context: ExchangeContext;
  readonly #incoming: IncomingRequest;
  readonly #operation: HandledOperation;
  readonly #values: readonly string[];
  readonly #over: (exchange: Exchange) => void;
  readonly #response = Promise.withResolvers<Response>();
  #state: ExchangeState = "received";
  #verdict: Verdict = { status: 0 };
  /** Kept open past the connection's idle timeout, and watching for the client to leave: since the first tick. */
  #armed = false;
  #reservedBytes = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #appliedAt = 0;
  #admittedAt = 0;
  /** Holds one of the app's places: from admission until nothing is left of the exchange on its instance. */
  #placed = false;
  #payload: Uint8Array | undefined;
  #open: OpenExchange | undefined;
  #instance: string | undefined;
  #reply: DispatchReply | undefined;
  /** Where the reply is judged before it is sent. */
  #judged: JudgedReply | undefined;
  #stream: ReplyStream | undefined;
  #receipt: ProgramReceipt | undefined;

  constructor(
    context: ExchangeContext,
    incoming: IncomingRequest,
    operation: HandledOperation,
    values: readonly string[],
    over: (exchange: Exchange) => void,
  ) {
    this.#context = context;
    this.#incoming = incoming;
    this.#operation = operation;
    this.#values = values;
    this.#over = over;
    operation.app.traffic.entered();
  }

  /** Starts the exchange. The response never rejects. */
  run(): Promise<Response> {
    this.#context.ticker.add(this);
    if (this.#operation.app.admission.full) this.#refuseQueueFull();
    else if (announcesBody(this.#incoming.request.headers)) this.#receive().catch((error: unknown) => this.#fail(error));
    else this.#prepare(undefined);
    return this.#response.promise;
  }

  // Incoming

  async #receive(): Promise<void> {
    const { request } = this.#incoming;
    const body = await readRequestBody(request, this.#operation.app.limits.bodyBytesMax, this.#context.budget);
    if (this.#state === "done") {
      if (body.ok) this.#context.budget.release(body.reserved);
      return;
    }
    if (body.ok) {
      this.#reservedBytes += body.reserved;
      this.#bytesIn = body.bytes?.byteLength ?? 0;
      this.#prepare(body.bytes);
    } else if (body.problem === undefined) this.#clientLeft();
    else this.#refuse(body.problem);
  }

  #prepare(body: Uint8Array | undefined): void {
    const { target, request } = this.#incoming;
    const pathParameters = this.#rawParameters();
    let payload: Payload;
    try {
      payload = payloadOf({ operation: this.#operation, headers: request.headers, pathParameters, query: target.query, body });
    } catch (error) {
      return this.#fail(error);
    }
    if (!payload.ok) return this.#refuse(payload.problem);
    this.#payload = payload.bytes;
    this.#appliedAt = performance.now();
    switch (this.#operation.app.admission.apply(this)) {
      case "admitted":
        return this.admitted();
      case "queued":
        this.#step("enqueue");
        return;
      case "full":
        return this.#refuseQueueFull();
    }
  }

  #rawParameters(): Record<string, string> {
    const parameters: Record<string, string> = emptyRecord();
    this.#operation.parameterNames.forEach((name, index) => (parameters[name] = this.#values[index] ?? ""));
    return parameters;
  }

  // Through the instance

  admitted(): void {
    this.#admittedAt = performance.now();
    if (this.#expired(this.#admittedAt)) {
      // The place came in the same tick as the deadline: no program is started for nobody.
      this.#refuseDeadline();
      return this.#operation.app.admission.release(undefined);
    }
    this.#placed = true;
    this.#step("dispatch");
    const payload = this.#payload ?? new Uint8Array(0);
    this.#payload = undefined;
    const dispatched = toDispatchRequest(this.#incoming, this.#operation, this.#rawParameters(), this.#bytesIn);
    try {
      const open = this.#operation.app.dispatch.open(dispatched, payload, this);
      // A pool that has no instance at all fails before it returns.
      if (this.#placed) this.#open = open;
    } catch (error) {
      this.#fail(error);
      // Nobody else will: without this the place would be lost for good.
      if (this.#placed) this.ended(undefined);
    }
  }

  taken(instance: string): void {
    this.#instance = instance;
  }

  reply(reply: DispatchReply, body: Uint8Array, last: boolean): void {
    if (this.#step("reply") === undefined) return;
    this.#reply = reply;
    const { app, contract, handler } = this.#operation;
    const mediaType = this.#replyMediaType(reply.status);
    if (handler.validateOut && contract !== undefined) {
      const { bodyBytesMax } = app.limits;
      this.#judged = new JudgedReply(reply, { contract, mediaType, bodyBytesMax, budget: this.#context.budget });
      return this.#judge(this.#judged, body, last);
    }
    const headers = replyHeaders(reply, mediaType, !last || body.byteLength > 0);
    if (!headers.ok) return this.#refuseReply({ kind: "bad-reply", detail: headers.detail });
    if (last) this.#respondWhole(reply.status, headers.headers, body);
    else this.#respondStream(reply.status, headers.headers, body);
  }

  data(chunk: Uint8Array, last: boolean): void {
    if (this.#state !== "replying") {
      this.#open?.consumed(chunk.byteLength);
      return;
    }
    if (this.#judged !== undefined) return this.#judge(this.#judged, chunk, last);
    this.#countSent(this.#verdict.status, chunk.byteLength);
    this.#stream?.push(chunk, last);
  }

  failed(reason: FailureReason, detail: string, advice?: string): void {
    const problem = failureProblem(reason, detail);
    this.#refuse(advice === undefined ? problem : { ...problem, advice });
  }

  output(stream: "stdout" | "stderr", text: string, cut: boolean): void {
    const { app, key } = this.#operation;
    this.#context.log.output({
      requestId: this.#incoming.requestId,
      exchangeId: this.#incoming.exchangeId,
      app: app.name,
      operation: key,
      stream,
      text,
      cut,
    });
  }

  ended(receipt: ProgramReceipt | undefined): void {
    this.#receipt = receipt;
    this.#open = undefined;
    this.#placed = false;
    this.#operation.app.admission.release(performance.now() - this.#admittedAt);
    this.#close();
  }

  // Outgoing

  #judge(judged: JudgedReply, chunk: Uint8Array, last: boolean): void {
    const untaken = judged.collect(chunk);
    if (untaken !== undefined) return this.#refuseReply(untaken);
    this.#open?.consumed(chunk.byteLength);
    if (!last) return;
    let judgement: Judgement;
    try {
      judgement = judged.judge();
    } catch (error) {
      return this.#fail(error);
    }
    if (!judgement.ok) return this.#refuseReply(judgement.problem);
    this.#open?.verdict(200);
    this.#respondWhole(judged.status, judgement.headers, judgement.body);
  }

  #replyMediaType(status: number): string {
    const { contract, handler } = this.#operation;
    return contract?.replyMediaType(status) ?? (handler.inject.encoding === "json" ? "application/json" : "application/octet-stream");
  }

  #respondWhole(status: number, headers: Headers, body: Uint8Array): void {
    this.#countSent(status, body.byteLength);
    this.#respond(new Response(isBodyless(status) ? null : body, { status, headers: this.#mark(headers) }));
    this.#finish({ status });
  }

  #respondStream(status: number, headers: Headers, body: Uint8Array): void {
    const stream = new ReplyStream({
      consumed: (bytes) => this.#open?.consumed(bytes),
      cancelled: () => this.#clientLeft(),
      finished: () => {
        this.#finish({ status });
        this.#incoming.connection.letIdle(this.#incoming.request);
      },
    });
    this.#stream = stream;
    this.#verdict = { status };
    this.#countSent(status, body.byteLength);
    stream.push(body, false);
    if (!this.#sendsBody(status)) {
      // Nobody reads this stream: take the reply off the program's hands here.
      this.#respond(new Response(null, { status, headers: this.#mark(headers) }));
      void stream.readable.pipeTo(new WritableStream()).catch(() => {});
      return;
    }
    this.#hold();
    this.#respond(new Response(stream.readable, { status, headers: this.#mark(headers) }), true);
  }

  #sendsBody(status: number): boolean {
    return this.#incoming.request.method !== "HEAD" && !isBodyless(status);
  }

  #countSent(status: number, bytes: number): void {
    if (this.#sendsBody(status)) this.#bytesOut += bytes;
  }

  #respond(response: Response, streams = false): void {
    const { connection, request } = this.#incoming;
    // A connection that was held open is left to idle out again, or it is never closed.
    if (this.#armed && !streams) connection.letIdle(request);
    this.#response.resolve(response);
  }

  #mark(headers: Headers): Headers {
    headers.set("x-request-id", this.#incoming.requestId);
    if (this.#context.timing) headers.set("server-timing", this.#timing());
    return headers;
  }

  #timing(): string {
    const reply = this.#reply;
    const queueMs = this.#queueMs();
    return serverTiming({
      totalMs: performance.now() - this.#incoming.receivedAt,
      ...(queueMs === undefined ? {} : { queueMs }),
      ...(reply === undefined ? {} : { program: reply }),
    });
  }

  // Refusals and other ends

  #refuseQueueFull(): void {
    const { admission, name } = this.#operation.app;
    const detail = `App "${name}" runs ${admission.concurrency} exchanges (scale.concurrency) and ${admission.queueMax} wait (scale.queue)`;
    this.#refuse({ kind: "queue-full", detail, headers: { "Retry-After": String(admission.retryAfterSeconds) } });
  }

  /** The reply is not fit to be sent: the client gets a 502, the program the reasons. */
  #refuseReply(problem: Problem): void {
    const open = this.#open;
    this.#refuse(problem);
    if (this.#operation.handler.validateOut) open?.verdict(422, new TextEncoder().encode(problemBody(problem, this.#incoming.requestId)));
    else open?.reset("reply-refused");
  }

  #refuse(problem: Problem): void {
    const status = problemStatus[problem.kind];
    const begun = this.#stream !== undefined;
    if (!this.#finish({ status: begun ? this.#verdict.status : status, error: problem.kind, detail: logDetail(problem) })) return;
    if (begun) {
      // A client that does not read does not see the end either: its connection idles out.
      this.#incoming.connection.letIdle(this.#incoming.request);
      this.#stream?.breakOff();
    } else this.#respond(problemResponse(problem, this.#mark(new Headers()), this.#incoming.requestId));
  }

  /** A defect of the host, or a schema that cannot be compiled: it costs this exchange and nothing else. */
  #fail(error: unknown): void {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#context.log.host({
      level: "error",
      event: "exchange-failure",
      message: `${this.#operation.key} failed in the gateway: ${words}`,
    });
    this.#refuse({ kind: "host-failure", detail: "The host failed on this request; its log says how" });
    this.#open?.reset("shutdown");
  }

  #clientLeft(): void {
    if (!this.#finish({ status: 499, detail: "The client left" })) return;
    this.#stream?.breakOff();
    this.#response.resolve(new Response(null, { status: 499 }));
    this.#open?.reset("client-left");
  }

  tick(nowMs: number): void {
    if (!this.#armed) this.#hold();
    if (!this.#expired(nowMs)) return;
    this.#refuseDeadline();
    this.#open?.reset("deadline");
    this.#context.ticker.remove(this);
  }

  #expired(nowMs: number): boolean {
    return nowMs - this.#incoming.receivedAt >= this.#operation.handler.inject.timeoutMs;
  }

  #refuseDeadline(): void {
    const detail = `The deadline of ${this.#operation.handler.inject.timeoutMs} ms (timeout) passed while ${doing[this.#state]}`;
    this.#refuse({ kind: "deadline", detail });
  }

  /** Ends the exchange at once: the host stops. */
  abort(): void {
    this.#refuse({ kind: "draining", detail: "The host was stopped", headers: { "Retry-After": "1" } });
    this.#open?.reset("shutdown");
  }

  /** From here the exchange outlives the connection's idle timeout, and ends when its client leaves. */
  #hold(): void {
    if (this.#armed || this.#state === "done") return;
    this.#armed = true;
    const { connection, request } = this.#incoming;
    connection.holdOpen(request);
    if (request.signal.aborted) this.#clientLeft();
    else request.signal.addEventListener("abort", () => this.#clientLeft(), { once: true });
  }

  #step(event: ExchangeEvent): ExchangeState | undefined {
    const next = transition(this.#state, event);
    if (next !== undefined) this.#state = next;
    return next;
  }

  /** The client's side is over, once. */
  #finish(verdict: Verdict): boolean {
    if (this.#state === "queued") this.#operation.app.admission.withdraw(this);
    if (this.#step("finish") === undefined) return false;
    this.#verdict = verdict;
    this.#payload = undefined;
    this.#judged?.release();
    this.#context.budget.release(this.#reservedBytes);
    this.#reservedBytes = 0;
    if (!this.#placed) this.#close();
    return true;
  }

  /** Both sides are over: the receipt. */
  #close(): void {
    if (this.#state !== "done") return;
    this.#context.ticker.remove(this);
    this.#tell();
    this.#operation.app.traffic.left();
    this.#over(this);
  }

  #tell(): void {
    this.#context.log.exchange(
      toReceipt({
        incoming: this.#incoming,
        operation: this.#operation,
        verdict: this.#verdict,
        instance: this.#instance,
        bytesIn: this.#bytesIn,
        bytesOut: this.#bytesOut,
        queueMs: this.#queueMs(),
        program: this.#receipt,
      }),
    );
  }

  /** How long it waited for a place; undefined: it has none yet. */
  #queueMs(): number | undefined {
    return this.#admittedAt === 0 ? undefined : this.#admittedAt - this.#appliedAt;
  }
}
