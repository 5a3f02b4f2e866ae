/** An exchange that is handed over to an instance's runner: a program's or a function's. Its reply comes back over the link. */
import type { ProgramReceipt } from "../telemetry/receipt.ts";
import { serverTiming } from "../telemetry/server-timing.ts";
import type { DispatchCall, DispatchOutput, DispatchReply, DispatchSink, OpenCall, OpenExchange } from "./dispatch.ts";
import { isStreamed, prepareCall } from "./dispatch-call.ts";
import { toDispatchRequest } from "./dispatch-request.ts";
import { type CutReason, Exchange } from "./exchange.ts";
import type { Served } from "./exchange-receipt.ts";
import { doing } from "./exchange-state.ts";
import { type Judgement, JudgedReply } from "./judged-reply.ts";
import { payloadOf } from "./payload.ts";
import { type Problem, problemBody } from "./problem.ts";
import { replyHeaders } from "./reply-headers.ts";
import { StreamedBody } from "./streamed-body.ts";

const nothing = new Uint8Array(0);

export class HandedExchange extends Exchange implements DispatchSink {
  #payload: Uint8Array | undefined;
  /** What a function is called with. */
  #call: DispatchCall | undefined;
  /** The request's body where it goes on as it comes. */
  #upload: StreamedBody | undefined;
  #open: OpenExchange | undefined;
  #reply: DispatchReply | undefined;
  /** Where the reply is judged before it is sent. */
  #judged: JudgedReply | undefined;
  /** Bytes of the reply that the client has not taken yet. */
  #untakenBytes = 0;
  #receipt: ProgramReceipt | undefined;

  // Incoming

  protected receive(): void {
    const { handler, app } = this.operation;
    if (!this.front.hasBody) return this.prepareWith(undefined);
    if (handler.kind !== "function" || !isStreamed({ incoming: this.incoming, operation: this.operation })) return this.readWhole();
    this.#upload = new StreamedBody(this.front, app.limits.bodyBytesMax, (problem) => this.#refuseUpload(problem));
    return this.#upload.tooLarge ? undefined : this.prepareWith(undefined);
  }

  protected prepare(body: Uint8Array | undefined): Problem | undefined {
    return this.operation.handler.kind === "function" ? this.#prepareCall(body) : this.#preparePayload(body);
  }

  #preparePayload(body: Uint8Array | undefined): Problem | undefined {
    const { target } = this.incoming;
    const source = { operation: this.operation, headers: this.front, pathParameters: this.rawParameters(), query: target.query, body };
    const payload = payloadOf(source);
    if (!payload.ok) return payload.problem;
    this.#payload = payload.bytes;
    return undefined;
  }

  #prepareCall(body: Uint8Array | undefined): Problem | undefined {
    const { operation } = this;
    const { handler } = operation;
    if (handler.kind !== "function") return undefined;
    const prepared = prepareCall({ incoming: this.incoming, operation, handler, pathParameters: this.rawParameters(), body });
    if (!prepared.ok) return prepared.problem;
    this.#call = prepared.call;
    this.#payload = prepared.body;
    return undefined;
  }

  // Through the instance

  protected dispatch(): void {
    const payload = this.#payload ?? nothing;
    this.#payload = undefined;
    if (this.#call === undefined) this.#openProgram(payload);
    else this.#openCall(this.#call, payload);
  }

  #openProgram(payload: Uint8Array): void {
    const { operation } = this;
    const { handler, app } = operation;
    if (handler.kind !== "program") return;
    const request = toDispatchRequest(this.incoming, operation, handler, this.rawParameters(), this.bytesIn);
    this.#opened(app.dispatch.open(request, payload, this));
  }

  #openCall(call: DispatchCall, body: Uint8Array): void {
    const upload = this.#upload;
    const open: OpenCall = this.operation.app.dispatch.call(call, body, upload === undefined, this);
    this.#call = undefined;
    this.#opened(open);
    if (this.#open !== undefined) upload?.flowTo(open);
  }

  #opened(open: OpenExchange): void {
    // A pool that has no instance at all fails before it returns.
    if (this.holdsPlace) this.#open = open;
  }

  taken(instance: string): void {
    this.instance = instance;
  }

  writable(): void {
    this.#upload?.writable();
  }

  reply(reply: DispatchReply, body: Uint8Array, last: boolean): void {
    if (this.step("reply") === undefined) return;
    this.#reply = reply;
    const { app, contract, handler } = this.operation;
    const mediaType = this.#replyMediaType(reply.status);
    if (handler.validateOut && contract !== undefined) {
      const { bodyBytesMax } = app.limits;
      const headersOf = (hasBody: boolean) => replyHeaders(reply, mediaType, hasBody);
      this.#judged = new JudgedReply(reply.status, headersOf, { contract, bodyBytesMax, budget: this.context.budget });
      return this.#judge(this.#judged, body, last);
    }
    const headers = replyHeaders(reply, mediaType, !last || body.byteLength > 0);
    if (!headers.ok) return this.#refuseReply({ kind: "bad-reply", detail: headers.detail });
    if (last) this.#respondWhole(reply.status, headers.headers, body);
    else this.#respondPiecemeal(reply, headers.headers, body);
  }

  data(chunk: Uint8Array, last: boolean): void {
    if (this.state !== "replying") {
      this.#open?.consumed(chunk.byteLength);
      return;
    }
    if (this.#judged !== undefined) this.#judge(this.#judged, chunk, last);
    else this.#pass(chunk, last);
  }

  output(line: DispatchOutput): void {
    const { app, key } = this.operation;
    const { requestId, exchangeId } = this.incoming;
    this.context.log.output({ requestId, exchangeId, app: app.name, operation: key, ...line });
  }

  ended(receipt: ProgramReceipt | undefined): void {
    this.#receipt = receipt;
    this.#open = undefined;
    this.leave();
  }

  protected abandoned(): void {
    this.ended(undefined);
  }

  protected cut(reason: CutReason): void {
    this.#open?.reset(reason);
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
      return this.fail(error);
    }
    if (!judgement.ok) return this.#refuseReply(judgement.problem);
    if (this.operation.handler.kind === "program") this.#open?.verdict(200);
    this.#respondWhole(judged.status, judgement.headers, judgement.body);
  }

  #replyMediaType(status: number): string {
    const { contract, handler } = this.operation;
    const json = handler.kind !== "program" || handler.inject.encoding === "json";
    return contract?.replyMediaType(status) ?? (json ? "application/json" : "application/octet-stream");
  }

  #respondWhole(status: number, headers: string[], body: Uint8Array): void {
    this.countSent(status, body.byteLength);
    this.front.respond(status, this.mark(headers), body);
    this.finish({ status });
  }

  #respondPiecemeal({ status, bodyBytes }: DispatchReply, headers: string[], body: Uint8Array): void {
    if (bodyBytes !== undefined) headers.push("content-length", String(bodyBytes));
    this.streams = true;
    this.verdict = { status };
    this.front.onWritable = () => this.#tookAll();
    this.front.begin(status, this.mark(headers));
    this.#pass(body, false);
  }

  /** Hands a piece of the reply to the client. The instance may go on when the client has taken it. */
  #pass(chunk: Uint8Array, last: boolean): void {
    this.countSent(this.verdict.status, chunk.byteLength);
    this.#untakenBytes += chunk.byteLength;
    if (chunk.byteLength === 0 || this.front.write(chunk)) this.#tookAll();
    if (!last) return;
    this.front.end();
    this.finish({ status: this.verdict.status });
  }

  #tookAll(): void {
    const bytes = this.#untakenBytes;
    this.#untakenBytes = 0;
    if (bytes > 0) this.#open?.consumed(bytes);
  }

  protected timing(totalMs: number, queueMs: number | undefined): string {
    const reply = this.#reply;
    if (this.operation.handler.kind === "function") return serverTiming({ totalMs, queueMs, functionMs: reply?.runMs });
    return serverTiming({ totalMs, queueMs, program: reply });
  }

  // Refusals and other ends

  /** The rest of the request's body cannot be taken: the function gets no more of it, nor a say. */
  #refuseUpload(problem: Problem): void {
    const open = this.#open;
    this.refuse(problem);
    open?.reset("client-left");
  }

  /** The reply is not fit to be sent: the client gets a 502, the program the reasons. */
  #refuseReply(problem: Problem): void {
    const open = this.#open;
    this.refuse(problem);
    const { handler } = this.operation;
    if (handler.kind === "program" && handler.validateOut) {
      open?.verdict(422, new TextEncoder().encode(problemBody(problem, this.incoming.requestId)));
    } else open?.reset("reply-refused");
  }

  protected doing(): string {
    return doing(this.state, this.operation.handler.kind);
  }

  protected forget(): void {
    this.#payload = undefined;
    this.#call = undefined;
    if (this.#upload !== undefined) {
      this.#upload.abandon();
      this.bytesIn = this.#upload.bytes;
    }
    this.#judged?.release();
  }

  protected served(): Served {
    const ran = this.operation.call === undefined ? undefined : this.#reply;
    return { program: this.#receipt, functionMs: ran?.runMs, span: ran?.span, limit: this.limit ?? this.#receipt?.limit };
  }

  protected strain(sinceMs: number): string | undefined {
    return this.#open?.strain?.(sinceMs);
  }
}
