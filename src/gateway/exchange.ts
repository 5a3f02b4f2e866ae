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
import type { DispatchCall, DispatchOutput, DispatchReply, DispatchSink, FailureReason, OpenCall, OpenExchange } from "./dispatch.ts";
import { isStreamed, prepareCall } from "./dispatch-call.ts";
import { toDispatchRequest } from "./dispatch-request.ts";
import { toReceipt, type Verdict } from "./exchange-receipt.ts";
import { doing, type ExchangeEvent, type ExchangeState, transition } from "./exchange-state.ts";
import type { FrontExchange } from "./front.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import { type Judgement, JudgedReply } from "./judged-reply.ts";
import type { HandledOperation } from "./operation.ts";
import { payloadOf } from "./payload.ts";
import { logDetail, type Problem, problemBody, problemStatus } from "./problem.ts";
import { failureProblem, respondProblem } from "./problem-response.ts";
import { isBodyless, replyHeaders } from "./reply-headers.ts";
import { type BodyReceiver, WholeBody } from "./request-body.ts";
import { StreamedBody } from "./streamed-body.ts";

/** What exchanges share. */
export interface ExchangeContext {
  readonly ticker: Ticker;
  readonly budget: BodyBudget;
  readonly log: Log;
  /** Whether responses carry `Server-Timing`. */
  readonly timing: boolean;
}

const nothing = new Uint8Array(0);

export class Exchange implements Ticked, Applicant, BodyReceiver, DispatchSink {
  readonly #context: ExchangeContext;
  readonly #incoming: IncomingRequest;
  readonly #front: FrontExchange;
  readonly #operation: HandledOperation;
  readonly #values: readonly string[];
  readonly #over: (exchange: Exchange) => void;
  #state: ExchangeState = "received";
  #verdict: Verdict = { status: 0 };
  /** The request's body while it is read whole. */
  #body: WholeBody | undefined;
  #reservedBytes = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #appliedAt = 0;
  #admittedAt = 0;
  /** Holds one of the app's places: from admission until nothing is left of the exchange on its instance. */
  #placed = false;
  #payload: Uint8Array | undefined;
  /** What a function is called with. */
  #call: DispatchCall | undefined;
  /** The request's body where it goes on as it comes. */
  #upload: StreamedBody | undefined;
  #open: OpenExchange | undefined;
  #instance: string | undefined;
  #reply: DispatchReply | undefined;
  /** Where the reply is judged before it is sent. */
  #judged: JudgedReply | undefined;
  /** The response has begun and is written as the reply comes. */
  #streams = false;
  /** Bytes of the reply that the client has not taken yet. */
  #untakenBytes = 0;
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
    this.#front = incoming.front;
    this.#operation = operation;
    this.#values = values;
    this.#over = over;
    operation.app.traffic.entered();
  }

  /** Starts the exchange. */
  run(): void {
    this.#context.ticker.add(this);
    this.#front.onClosed = this.#clientLeft;
    const { admission, handler, app } = this.#operation;
    if (admission.full) return this.#refuseQueueFull();
    if (!this.#front.hasBody) return this.#prepare(undefined);
    if (handler.kind === "function" && isStreamed({ incoming: this.#incoming, operation: this.#operation })) {
      const { bodyBytesMax } = app.limits;
      this.#upload = new StreamedBody(this.#front, bodyBytesMax, (problem) => this.#refuseUpload(problem));
      return this.#upload.tooLarge ? undefined : this.#prepare(undefined);
    }
    this.#body = new WholeBody(app.limits.bodyBytesMax, this.#context.budget, this);
    this.#body.read(this.#front);
  }

  // Incoming

  received(bytes: Uint8Array, reserved: number): void {
    this.#body = undefined;
    this.#reservedBytes = reserved;
    this.#bytesIn = bytes.byteLength;
    this.#prepare(bytes);
  }

  refused(problem: Problem): void {
    this.#refuse(problem);
  }

  #prepare(body: Uint8Array | undefined): void {
    let problem: Problem | undefined;
    try {
      problem = this.#operation.handler.kind === "function" ? this.#prepareCall(body) : this.#preparePayload(body);
    } catch (error) {
      return this.#fail(error);
    }
    if (problem !== undefined) return this.#refuse(problem);
    this.#appliedAt = performance.now();
    switch (this.#operation.admission.apply(this)) {
      case "admitted":
        return this.admitted();
      case "queued":
        this.#step("enqueue");
        return;
      case "full":
        return this.#refuseQueueFull();
    }
  }

  #preparePayload(body: Uint8Array | undefined): Problem | undefined {
    const { target } = this.#incoming;
    const source = { operation: this.#operation, headers: this.#front, pathParameters: this.#rawParameters(), query: target.query, body };
    const payload = payloadOf(source);
    if (!payload.ok) return payload.problem;
    this.#payload = payload.bytes;
    return undefined;
  }

  #prepareCall(body: Uint8Array | undefined): Problem | undefined {
    const operation = this.#operation;
    const { handler } = operation;
    if (handler.kind !== "function") return undefined;
    const prepared = prepareCall({ incoming: this.#incoming, operation, handler, pathParameters: this.#rawParameters(), body });
    if (!prepared.ok) return prepared.problem;
    this.#call = prepared.call;
    this.#payload = prepared.body;
    return undefined;
  }

  #rawParameters(): Record<string, string> {
    const parameters: Record<string, string> = emptyRecord();
    const names = this.#operation.parameterNames;
    for (let index = 0; index < names.length; index++) parameters[names[index] ?? ""] = this.#values[index] ?? "";
    return parameters;
  }

  // Through the instance

  admitted(): void {
    this.#admittedAt = performance.now();
    if (this.#expired(this.#admittedAt)) {
      // The place came in the same tick as the deadline: nothing is started for nobody.
      this.#refuseDeadline();
      return this.#operation.admission.release(undefined);
    }
    this.#placed = true;
    this.#step("dispatch");
    const payload = this.#payload ?? nothing;
    this.#payload = undefined;
    try {
      if (this.#call === undefined) this.#openProgram(payload);
      else this.#openCall(this.#call, payload);
    } catch (error) {
      this.#fail(error);
      // Nobody else will: without this the place would be lost for good.
      if (this.#placed) this.ended(undefined);
    }
  }

  #openProgram(payload: Uint8Array): void {
    const operation = this.#operation;
    const { handler, app } = operation;
    if (handler.kind !== "program") return;
    const request = toDispatchRequest(this.#incoming, operation, handler, this.#rawParameters(), this.#bytesIn);
    this.#opened(app.dispatch.open(request, payload, this));
  }

  #openCall(call: DispatchCall, body: Uint8Array): void {
    const upload = this.#upload;
    const open: OpenCall = this.#operation.app.dispatch.call(call, body, upload === undefined, this);
    this.#call = undefined;
    this.#opened(open);
    if (this.#open !== undefined) upload?.flowTo(open);
  }

  #opened(open: OpenExchange): void {
    // A pool that has no instance at all fails before it returns.
    if (this.#placed) this.#open = open;
  }

  taken(instance: string): void {
    this.#instance = instance;
  }

  writable(): void {
    this.#upload?.writable();
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
    else this.#respondPiecemeal(reply, headers.headers, body);
  }

  data(chunk: Uint8Array, last: boolean): void {
    if (this.#state !== "replying") {
      this.#open?.consumed(chunk.byteLength);
      return;
    }
    if (this.#judged !== undefined) this.#judge(this.#judged, chunk, last);
    else this.#pass(chunk, last);
  }

  failed(reason: FailureReason, detail: string, advice?: string): void {
    const problem = failureProblem(reason, detail);
    this.#refuse(advice === undefined ? problem : { ...problem, advice });
  }

  output(line: DispatchOutput): void {
    const { app, key } = this.#operation;
    const { requestId, exchangeId } = this.#incoming;
    this.#context.log.output({ requestId, exchangeId, app: app.name, operation: key, ...line });
  }

  ended(receipt: ProgramReceipt | undefined): void {
    this.#receipt = receipt;
    this.#open = undefined;
    this.#placed = false;
    this.#operation.admission.release(performance.now() - this.#admittedAt);
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
    if (this.#operation.handler.kind === "program") this.#open?.verdict(200);
    this.#respondWhole(judged.status, judgement.headers, judgement.body);
  }

  #replyMediaType(status: number): string {
    const { contract, handler } = this.#operation;
    const json = handler.kind === "function" || handler.inject.encoding === "json";
    return contract?.replyMediaType(status) ?? (json ? "application/json" : "application/octet-stream");
  }

  #respondWhole(status: number, headers: string[], body: Uint8Array): void {
    this.#countSent(status, body.byteLength);
    this.#front.respond(status, this.#mark(headers), body);
    this.#finish({ status });
  }

  #respondPiecemeal({ status, bodyBytes }: DispatchReply, headers: string[], body: Uint8Array): void {
    if (bodyBytes !== undefined) headers.push("content-length", String(bodyBytes));
    this.#streams = true;
    this.#verdict = { status };
    this.#front.onWritable = () => this.#tookAll();
    this.#front.begin(status, this.#mark(headers));
    this.#pass(body, false);
  }

  /** Hands a piece of the reply to the client. The instance may go on when the client has taken it. */
  #pass(chunk: Uint8Array, last: boolean): void {
    this.#countSent(this.#verdict.status, chunk.byteLength);
    this.#untakenBytes += chunk.byteLength;
    if (chunk.byteLength === 0 || this.#front.write(chunk)) this.#tookAll();
    if (!last) return;
    this.#front.end();
    this.#finish({ status: this.#verdict.status });
  }

  #tookAll(): void {
    const bytes = this.#untakenBytes;
    this.#untakenBytes = 0;
    if (bytes > 0) this.#open?.consumed(bytes);
  }

  #countSent(status: number, bytes: number): void {
    if (this.#front.method !== "HEAD" && !isBodyless(status)) this.#bytesOut += bytes;
  }

  /** Adds what urocket says itself. */
  #mark(headers: string[]): string[] {
    headers.push("x-request-id", this.#incoming.requestId);
    if (this.#instance !== undefined) headers.push("x-urocket-instance", this.#instance);
    if (this.#context.timing) headers.push("server-timing", this.#timing());
    return headers;
  }

  #timing(): string {
    const reply = this.#reply;
    const totalMs = performance.now() - this.#incoming.receivedAt;
    const queueMs = this.#queueMs();
    if (this.#operation.handler.kind === "function") return serverTiming({ totalMs, queueMs, functionMs: reply?.runMs });
    return serverTiming({ totalMs, queueMs, program: reply });
  }

  // Refusals and other ends

  #refuseQueueFull(): void {
    const { admission, app } = this.#operation;
    const detail = `App "${app.name}" runs ${admission.concurrency} exchanges (${admission.limit}) and ${admission.queueMax} wait (scale.queue)`;
    this.#refuse({ kind: "queue-full", detail, headers: { "Retry-After": String(admission.retryAfterSeconds) } });
  }

  /** The rest of the request's body cannot be taken: the function gets no more of it, nor a say. */
  #refuseUpload(problem: Problem): void {
    const open = this.#open;
    this.#refuse(problem);
    open?.reset("client-left");
  }

  /** The reply is not fit to be sent: the client gets a 502, the program the reasons. */
  #refuseReply(problem: Problem): void {
    const open = this.#open;
    this.#refuse(problem);
    const { handler } = this.#operation;
    if (handler.kind === "program" && handler.validateOut) {
      open?.verdict(422, new TextEncoder().encode(problemBody(problem, this.#incoming.requestId)));
    } else open?.reset("reply-refused");
  }

  #refuse(problem: Problem): void {
    const status = this.#streams ? this.#verdict.status : problemStatus[problem.kind];
    if (!this.#finish({ status, error: problem.kind, detail: logDetail(problem) })) return;
    if (this.#streams) this.#front.breakOff();
    else respondProblem(this.#front, problem, this.#mark([]), this.#incoming.requestId);
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

  readonly #clientLeft = (): void => {
    if (!this.#finish({ status: 499, detail: "The client left" })) return;
    this.#open?.reset("client-left");
  };

  tick(nowMs: number): void {
    if (!this.#expired(nowMs)) return;
    this.#refuseDeadline();
    this.#open?.reset("deadline");
    this.#context.ticker.remove(this);
  }

  #expired(nowMs: number): boolean {
    return nowMs - this.#incoming.receivedAt >= this.#operation.handler.timeoutMs;
  }

  #refuseDeadline(): void {
    const { kind, timeoutMs } = this.#operation.handler;
    this.#refuse({ kind: "deadline", detail: `The deadline of ${timeoutMs} ms (timeout) passed while ${doing(this.#state, kind)}` });
  }

  /** Ends the exchange at once: the host stops. */
  abort(): void {
    this.#refuse({ kind: "draining", detail: "The host was stopped", headers: { "Retry-After": "1" } });
    this.#open?.reset("shutdown");
  }

  #step(event: ExchangeEvent): ExchangeState | undefined {
    const next = transition(this.#state, event);
    if (next !== undefined) this.#state = next;
    return next;
  }

  /** The client's side is over, once. */
  #finish(verdict: Verdict): boolean {
    if (this.#state === "queued") this.#operation.admission.withdraw(this);
    if (this.#step("finish") === undefined) return false;
    this.#verdict = verdict;
    this.#payload = undefined;
    this.#call = undefined;
    this.#body?.abandon();
    this.#body = undefined;
    this.#upload?.abandon();
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
        bytesIn: this.#upload === undefined ? this.#bytesIn : this.#upload.bytes,
        bytesOut: this.#bytesOut,
        queueMs: this.#queueMs(),
        program: this.#receipt,
        reply: this.#reply,
      }),
    );
  }

  /** How long it waited for a place; undefined: it has none yet. */
  #queueMs(): number | undefined {
    return this.#admittedAt === 0 ? undefined : this.#admittedAt - this.#appliedAt;
  }
}
