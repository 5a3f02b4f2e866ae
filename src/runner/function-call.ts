/**
 * One call of a function: from its frame to its reply's end. A function's result is its answer, so that there is one or
 * none. This is the hottest path of an instance: it makes nothing that was not asked for.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { OutgoingBody } from "../link/body.ts";
import type { Channel } from "../link/channel.ts";
import { dataBytesMax, headText } from "../link/frames.ts";
import type { CallHead, ReplyHead, ResetHead } from "../link/messages.ts";
import { isHttpError, toProblemReply } from "../sdk/http-error.ts";
import type { Reply } from "../sdk/reply.ts";
import { type MediaTypeOf, toReply } from "../sdk/result.ts";
import type { AbandonedCalls } from "./abandoned-calls.ts";
import type { FoundExport } from "./function-bundle.ts";
import { type ContextParts, type ContextSource, FunctionContext } from "./function-context.ts";
import { failureText } from "./function-failure.ts";
import { FunctionInput, type InputSource, requestOf } from "./function-input.ts";
import type { LogSource } from "./function-log.ts";
import type { LinkExchange } from "./link-exchange.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { plainReplyHead, withLength } from "./plain-reply-head.ts";
import { ReplyStream } from "./reply-stream.ts";
import { RequestBody } from "./request-body.ts";
import { isThenable } from "./thenable.ts";
import { WholeBody } from "./whole-body.ts";

/** What all calls of an instance share. */
export interface CallParts extends ContextParts {
  readonly channel: Channel;
  readonly open: OpenExchanges;
  /** Whose code runs: so that what it prints is known to be its. */
  readonly running: AsyncLocalStorage<LogSource>;
  readonly abandoned: AbandonedCalls;
  callsOpen: number;
}

/** A function that is called. */
export interface CalledFunction {
  readonly found: FoundExport;
  /** "GET /pets" */
  readonly operation: string;
  /** "addPet", for messages. */
  readonly name: string;
  readonly mediaTypeOf: MediaTypeOf;
}

/**
 * gathering: the body is not whole yet · running: the function · replying: its stream · over · given-up: the host wants it
 * no more, and the function runs on.
 */
type Phase = "gathering" | "running" | "replying" | "given-up" | "over";

const nothing = new Uint8Array(0);
/** Characters of a failure's words: they are in a frame's head. */
const detailLengthMax = 500;

export class FunctionCall implements LinkExchange, ContextSource, InputSource {
  readonly parts: CallParts;
  bytes: Uint8Array | undefined;
  readonly #called: CalledFunction;
  readonly #number: number;
  readonly #headText: string;
  #head: CallHead | undefined;
  readonly #context: FunctionContext;
  #phase: Phase = "gathering";
  #startedAt = 0;
  #gathered: WholeBody | undefined;
  #body: RequestBody | undefined;
  #outgoing: OutgoingBody | undefined;
  #stream: ReplyStream | undefined;

  /** @param head of its frame. */
  constructor(parts: CallParts, called: CalledFunction, number: number, head: string) {
    this.parts = parts;
    this.#called = called;
    this.#number = number;
    this.#headText = head;
    this.#context = new FunctionContext(this);
    parts.callsOpen++;
    parts.open.add(number, this);
  }

  // --- what its context and input ask

  /** Parsed for those who look: many functions ask nothing of their request. */
  get head(): CallHead {
    return (this.#head ??= JSON.parse(this.#headText) as CallHead);
  }

  get requestId(): string {
    return this.head.id;
  }

  get operation(): string {
    return this.#called.operation;
  }

  get logNumber(): number {
    return this.#phase === "over" || this.#phase === "given-up" ? 0 : this.#number;
  }

  get deadline(): number {
    return this.head.deadline;
  }

  get client(): string | undefined {
    return this.head.client;
  }

  get traceparent(): string | undefined {
    return this.head.traceparent;
  }

  get stream(): ReadableStream<Uint8Array> | undefined {
    return this.#body?.stream;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  // --- what the host says

  /** The frame that opened it. */
  begin(body: Uint8Array, end: boolean): void {
    if (end && body.byteLength === 0 && !this.#headText.includes('"body":"')) return this.#start();
    switch (this.head.body) {
      case undefined:
        return this.#start();
      case "json":
        if (!end) break;
        this.bytes = body;
        return this.#start();
      case "bytes":
        this.#body = new RequestBody(this.parts.channel, this.#number);
        this.#body.push(body, end);
        return this.#start();
    }
    this.#gathered = new WholeBody(this.parts.channel, this.#number);
    this.#gathered.push(body);
  }

  data(chunk: Uint8Array, end: boolean): void {
    if (this.#gathered === undefined) return this.#body?.push(chunk, end);
    this.#gathered.push(chunk);
    if (!end) return;
    this.bytes = this.#gathered.take();
    this.#gathered = undefined;
    this.#start();
  }

  granted(bytes: number): void {
    this.#outgoing?.grant(bytes);
  }

  reset({ reason }: ResetHead): void {
    const running = this.#phase === "running";
    const why = abortReason(reason, this.#called.operation);
    this.#close(running ? "given-up" : "over");
    if (running) this.parts.abandoned.givenUp(this);
    this.#body?.abort(why);
    this.#stream?.cancel(why);
    this.parts.running.run(this, () => this.#context.abort(why));
  }

  verdict(): void {
    // None is awaited for a function: its reply has gone when its function is over.
  }

  // --- what the function does

  #start(): void {
    this.#phase = "running";
    this.#startedAt = performance.now();
    let result: unknown;
    try {
      result = this.parts.running.run(this, invoke, this.#called.found, this, this.#context);
    } catch (error) {
      return this.#threw(error);
    }
    if (!isThenable(result)) return this.#answered(result);
    result.then(
      (value) => this.#answered(value),
      (error: unknown) => this.#threw(error),
    );
  }

  #answered(result: unknown): void {
    if (this.#phase !== "running") return this.#late();
    let reply: Reply;
    try {
      reply = toReply(result, this.#called.mediaTypeOf);
    } catch (error) {
      return this.#fail("returned what cannot be sent", error instanceof Error ? error.message : String(error));
    }
    this.#reply(reply);
  }

  #threw(error: unknown): void {
    if (this.#phase !== "running") {
      if (!isAbort(error)) this.parts.log.message(this, "warn", `Thrown after its call was given up: ${failureText(error)}`);
      return this.#late();
    }
    if (!isHttpError(error)) return this.#fail("threw", failureText(error));
    let reply: Reply;
    try {
      reply = toProblemReply(error);
    } catch (unwritable) {
      return this.#fail("threw an HttpError that cannot be sent", failureText(unwritable));
    }
    if (error.cause !== undefined) this.parts.log.message(this, error.status >= 500 ? "error" : "info", failureText(error));
    this.#reply(reply);
  }

  #late(): void {
    this.parts.abandoned.settled(this);
  }

  /** Whether its client still waits for something. */
  get isOpen(): boolean {
    return this.#phase === "running" || this.#phase === "replying";
  }

  /** Ended by an error that was thrown outside of its function's own call: by a timer of its, say. */
  failed(error: unknown): void {
    if (this.#phase === "running") this.#threw(error);
    else if (this.#phase === "replying") this.#streamFailed(error);
  }

  #fail(what: string, log: string): void {
    this.parts.log.message(this, "error", log);
    this.#reset({ reason: "function-failed", detail: `The function ${this.#called.name} ${what}` });
  }

  #reset(head: ResetHead): void {
    this.parts.channel.send("reset", this.#number, { ...head, detail: (head.detail ?? "").slice(0, detailLengthMax) });
    this.#close("over");
  }

  // --- its reply

  #reply({ status, headers, body }: Reply): void {
    try {
      const head = this.#replyHead(status, headers);
      if (body instanceof ReadableStream) void this.parts.running.run(this, replyStream, this, head, body);
      else this.#replyWhole(head, body);
    } catch (error) {
      // The head is longer than a frame's may be.
      this.#fail("returned what cannot be sent", error instanceof Error ? error.message : String(error));
    }
  }

  #replyHead(status: number, headers: ReplyHead["headers"]): string {
    const runMs = Math.round((performance.now() - this.#startedAt) * 1000) / 1000;
    const span = this.#context.notes;
    return span === undefined
      ? plainReplyHead(status, headers, runMs)
      : headText({ status, headers, waitMs: 0, spawnMs: 0, runMs, span } satisfies ReplyHead);
  }

  #replyWhole(head: string, body: Uint8Array | string | undefined): void {
    const { channel } = this.parts;
    if (typeof body === "string" ? channel.sendText("reply", this.#number, head, body) : (body?.byteLength ?? 0) <= dataBytesMax) {
      if (typeof body !== "string") channel.sendHead("reply", this.#number, head, body, true);
      return this.#close("over");
    }
    const bytes = typeof body === "string" ? Buffer.from(body) : (body ?? nothing);
    this.#outgoing = new OutgoingBody(channel, this.#number);
    this.#phase = "replying";
    if (this.#outgoing.openText("reply", withLength(head, bytes.byteLength), bytes, true)) return this.#close("over");
    this.#outgoing.onWritable = () => this.#close("over");
  }

  async replyStream(head: string, body: ReadableStream<unknown>): Promise<void> {
    try {
      const stream = new ReplyStream(body, { done: () => this.#close("over"), failed: (error) => this.#streamFailed(error) });
      this.#stream = stream;
      const { chunk, whole } = await stream.readAhead();
      if (this.#phase !== "running") return this.#late();
      if (whole) return this.#replyWhole(head, chunk);
      this.#outgoing = new OutgoingBody(this.parts.channel, this.#number);
      this.#outgoing.openText("reply", head, chunk, false);
      this.#phase = "replying";
      await stream.run(this.#outgoing);
    } catch (error) {
      if (this.#phase === "running") this.#fail("returned a stream that cannot be sent", failureText(error));
      else this.#late();
    }
  }

  #streamFailed(error: unknown): void {
    this.parts.log.message(this, "error", failureText(error));
    this.#stream?.cancel(error);
    this.#reset({ reason: "reply-aborted", detail: `The reply of the function ${this.#called.name} failed before its end` });
  }

  /** Nothing is said or heard of it any more on the link. */
  #close(phase: "over" | "given-up"): void {
    if (this.#phase === "over" || this.#phase === "given-up") return;
    this.#phase = phase;
    this.#gathered = undefined;
    this.parts.callsOpen--;
    this.parts.open.delete(this.#number);
  }
}

function replyStream(call: FunctionCall, head: string, body: ReadableStream<unknown>): Promise<void> {
  return call.replyStream(head, body);
}

/** A function of its own, so that a call makes no closure. */
function invoke(found: FoundExport, call: FunctionCall, context: FunctionContext): unknown {
  return found.call(found.kind === "fetch" ? requestOf(call) : new FunctionInput(call), context);
}

function abortReason(reason: ResetHead["reason"], operation: string): DOMException {
  switch (reason) {
    case "deadline":
      return new DOMException(`The deadline of ${operation} has passed`, "TimeoutError");
    case "client-left":
      return new DOMException("The client has left", "AbortError");
    default:
      return new DOMException("The host has ended the call", "AbortError");
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "AbortError" || error.name === "TimeoutError");
}
