/**
 * One request on its way through, whatever serves it: what it holds (its place, its memory, its entry at the ticker), its deadline,
 * its refusals and its receipt. All of what it holds is given back whichever way it ends: reply, refusal, deadline, client gone.
 * How it is served is a class of its own: `handed-exchange.ts` for programs and functions, `service-exchange.ts` for daemons.
 */
import type { LimitName } from "../core/limit-name.ts";
import { emptyRecord } from "../core/record.ts";
import type { Log } from "../telemetry/receipt.ts";
import type { Applicant } from "./admission.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { FailureReason } from "./dispatch.ts";
import { type Served, toReceipt, type Verdict } from "./exchange-receipt.ts";
import { type ExchangeEvent, type ExchangeState, transition } from "./exchange-state.ts";
import type { FrontExchange } from "./front.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { OpenExchange, OpenExchanges } from "./open-exchanges.ts";
import type { HandledOperation } from "./operation.ts";
import { logDetail, type Problem, problemBody, problemStatus } from "./problem.ts";
import { failureProblem, respondProblem } from "./problem-response.ts";
import { isBodyless } from "./reply-headers.ts";
import { type BodyReceiver, WholeBody } from "./request-body.ts";

/** What exchanges share. */
export interface ExchangeContext {
  readonly open: OpenExchanges;
  readonly budget: BodyBudget;
  readonly log: Log;
  /** Whether responses carry `Server-Timing`. */
  readonly timing: boolean;
}

/** Why the work on the instance is ended before its time. */
export type CutReason = "deadline" | "client-left" | "shutdown";

export abstract class Exchange implements OpenExchange, Applicant, BodyReceiver {
  position = 0;
  protected readonly context: ExchangeContext;
  protected readonly incoming: IncomingRequest;
  protected readonly front: FrontExchange;
  protected readonly operation: HandledOperation;
  protected state: ExchangeState = "received";
  protected verdict: Verdict = { status: 0 };
  protected instance: string | undefined;
  /** Holds one of the app's places: from admission until nothing is left of the exchange on its instance. */
  protected holdsPlace = false;
  /** The response has begun and is written as the reply comes. */
  protected streams = false;
  protected bytesIn = 0;
  protected bytesOut = 0;
  readonly #values: readonly string[];
  /** The request's body while it is read whole. */
  #body: WholeBody | undefined;
  #reservedBytes = 0;
  #appliedAt = 0;
  /** Its deadline has passed. What it started may go on for a moment. */
  #hasExpired = false;
  #admittedAt = 0;
  /** The limit that its instance ran into. */
  protected limit: LimitName | undefined;

  constructor(context: ExchangeContext, incoming: IncomingRequest, operation: HandledOperation, values: readonly string[]) {
    this.context = context;
    this.incoming = incoming;
    this.front = incoming.front;
    this.operation = operation;
    this.#values = values;
    operation.app.traffic.entered();
  }

  // What each kind of exchange does its own way

  /** Sees to what of the request's body is needed before it is prepared: `prepareWith`, or `readWhole`. */
  protected abstract receive(): void;
  /** Reads and validates the request. @param body absent: it has none, or it goes on as it comes. */
  protected abstract prepare(body: Uint8Array | undefined): Problem | undefined;
  /** It has its place: hands it to an instance. */
  protected abstract dispatch(): void;
  /** Ends what the instance does for it. Nothing to do where none does anything. */
  protected abstract cut(reason: CutReason): void;
  /** The client's side is over: forgets what was held for it. */
  protected abstract forget(): void;
  /** What it is doing, for the sentence that says where its deadline passed. */
  protected abstract doing(): string;
  /** The value of `Server-Timing` with what only some kinds know. */
  protected abstract timing(totalMs: number, queueMs: number | undefined): string;
  /** What the receipt tells of how it was served. */
  protected abstract served(): Served;
  /** What kept its instance from working since then (`performance.now()`), for the deadline's words. */
  protected abstract strain(sinceMs: number): string | undefined;
  /** A defect while it was handed over: nobody else gives its place back. */
  protected abstract abandoned(): void;

  // Incoming

  /** Starts the exchange. */
  run(): void {
    this.context.open.add(this);
    this.front.onClosed = this.#clientLeft;
    if (this.operation.admission.full) return this.#refuseQueueFull();
    this.receive();
  }

  protected readWhole(): void {
    this.#body = new WholeBody(this.operation.app.limits.bodyBytesMax, this.context.budget, this);
    this.#body.read(this.front);
  }

  received(bytes: Uint8Array, reserved: number): void {
    this.#body = undefined;
    this.#reservedBytes = reserved;
    this.bytesIn = bytes.byteLength;
    this.prepareWith(bytes);
  }

  refused(problem: Problem): void {
    this.refuse(problem);
  }

  /** @param body as `prepare`'s. */
  protected prepareWith(body: Uint8Array | undefined): void {
    let problem: Problem | undefined;
    try {
      problem = this.prepare(body);
    } catch (error) {
      return this.fail(error);
    }
    if (problem !== undefined) return this.refuse(problem);
    this.#appliedAt = performance.now();
    switch (this.operation.admission.apply(this)) {
      case "admitted":
        return this.#enter(this.#appliedAt);
      case "queued":
        this.step("enqueue");
        return;
      case "full":
        return this.#refuseQueueFull();
    }
  }

  /** Raw text of the path's parameters by name. */
  protected rawParameters(): Record<string, string> {
    const parameters: Record<string, string> = emptyRecord();
    const names = this.operation.parameterNames;
    for (let index = 0; index < names.length; index++) parameters[names[index] ?? ""] = this.#values[index] ?? "";
    return parameters;
  }

  // Through the instance

  admitted(): void {
    this.#enter(performance.now());
  }

  /** A place is its own from now on. */
  #enter(nowMs: number): void {
    this.#admittedAt = nowMs;
    if (this.isExpired(this.#admittedAt)) {
      // The place came in the same tick as the deadline: nothing is started for nobody.
      this.refuseDeadline();
      return this.operation.admission.release(undefined);
    }
    this.holdsPlace = true;
    this.step("dispatch");
    try {
      this.dispatch();
    } catch (error) {
      this.fail(error);
      // Nobody else will: without this the place would be lost for good.
      if (this.holdsPlace) this.abandoned();
    }
  }

  failed(reason: FailureReason, detail: string, advice?: string, limit?: LimitName): void {
    // On a machine that is busy a runner's own clock may end a program before this one has looked at its own.
    if (reason === "no-reply" && this.isExpired(performance.now())) return this.expire();
    this.limit = limit;
    const problem = failureProblem(reason, detail);
    this.refuse(advice === undefined ? problem : { ...problem, advice });
  }

  /** Nothing is left of it on its instance. */
  protected leave(): void {
    const nowMs = performance.now();
    this.holdsPlace = false;
    this.operation.admission.release(nowMs - this.#admittedAt);
    this.#close(nowMs);
  }

  // Outgoing

  protected countSent(status: number, bytes: number): void {
    if (this.front.method !== "HEAD" && !isBodyless(status)) this.bytesOut += bytes;
  }

  /** Adds what urocket says itself. */
  protected mark(headers: string[]): string[] {
    headers.push("x-request-id", this.incoming.requestId);
    if (this.instance !== undefined) headers.push("x-urocket-instance", this.instance);
    if (this.context.timing) headers.push("server-timing", this.serverTiming());
    return headers;
  }

  /** The value of `Server-Timing`. */
  protected serverTiming(): string {
    return this.timing(performance.now() - this.incoming.receivedAt, this.#queueMs());
  }

  // Refusals and other ends

  #refuseQueueFull(): void {
    const { admission, app } = this.operation;
    const detail = `App "${app.name}" runs ${admission.concurrency} exchanges (${admission.limit}) and ${admission.queueMax} wait (scale.queue)`;
    this.refuse({ kind: "queue-full", detail, headers: { "Retry-After": String(admission.retryAfterSeconds) } });
  }

  /** Answers with a problem, or ends an answer that has begun in its midst. */
  protected refuse(problem: Problem): void {
    if (this.state === "done") return;
    const verdict = { error: problem.kind, detail: logDetail(problem) };
    if (this.streams) {
      this.finish({ status: this.verdict.status, ...verdict });
      return this.breakOff();
    }
    const status = problemStatus[problem.kind];
    const body = problemBody(problem, this.incoming.requestId);
    this.countSent(status, Buffer.byteLength(body));
    this.finish({ status, ...verdict });
    respondProblem(this.front, problem, body, this.mark([]));
  }

  /** Ends an answer that has begun, so that the client does not take half for whole. */
  protected breakOff(): void {
    this.front.breakOff();
  }

  /** A defect of the host, or a schema that cannot be compiled: it costs this exchange and nothing else. */
  protected fail(error: unknown): void {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.context.log.host({
      level: "error",
      event: "exchange-failure",
      message: `${this.operation.key} failed in the gateway: ${words}`,
    });
    this.refuse({ kind: "host-failure", detail: "The host failed on this request; its log says how" });
    this.cut("shutdown");
  }

  readonly #clientLeft = (): void => {
    if (!this.finish({ status: 499, detail: "The client left" })) return;
    this.cut("client-left");
  };

  tick(nowMs: number): void {
    if (!this.#hasExpired && this.isExpired(nowMs)) this.expire();
  }

  protected expire(): void {
    this.#hasExpired = true;
    this.refuseDeadline();
    this.cut("deadline");
  }

  protected isExpired(nowMs: number): boolean {
    return nowMs - this.incoming.receivedAt >= this.operation.handler.timeoutMs;
  }

  protected refuseDeadline(): void {
    const { timeoutMs } = this.operation.handler;
    const strain = this.holdsPlace ? this.strain(this.#admittedAt) : undefined;
    const passed = `The deadline of ${timeoutMs} ms (timeout) passed while ${this.doing()}`;
    this.refuse({ kind: "deadline", detail: strain === undefined ? passed : `${passed}; ${strain}` });
  }

  /** Ends the exchange at once: the host stops. */
  abort(): void {
    this.refuse({ kind: "draining", detail: "The host was stopped", headers: { "Retry-After": "1" } });
    this.cut("shutdown");
  }

  protected step(event: ExchangeEvent): ExchangeState | undefined {
    const next = transition(this.state, event);
    if (next !== undefined) this.state = next;
    return next;
  }

  /** The client's side is over, once. */
  protected finish(verdict: Verdict): boolean {
    if (this.state === "queued") this.operation.admission.withdraw(this);
    if (this.step("finish") === undefined) return false;
    this.verdict = verdict;
    this.#body?.abandon();
    this.#body = undefined;
    this.forget();
    this.context.budget.release(this.#reservedBytes);
    this.#reservedBytes = 0;
    if (!this.holdsPlace) this.#close(performance.now());
    return true;
  }

  /** Both sides are over: the receipt. */
  #close(nowMs: number): void {
    if (this.state !== "done") return;
    const { incoming, operation, verdict, instance, bytesIn, bytesOut } = this;
    const queueMs = this.#queueMs();
    const totalMs = nowMs - incoming.receivedAt;
    this.context.log.exchange(toReceipt({ incoming, operation, verdict, instance, bytesIn, bytesOut, queueMs, totalMs }, this.served()));
    operation.app.traffic.left();
    this.context.open.remove(this);
  }

  /** How long it waited for a place; undefined: it has none yet. */
  #queueMs(): number | undefined {
    return this.#admittedAt === 0 ? undefined : this.#admittedAt - this.#appliedAt;
  }
}
