/**
 * A client of a listener, as its function sees it: line by line, strictly in order, one at a time. What came in one frame is
 * answered in as few frames as can be, and a line costs neither a closure nor a promise unless its function returns one.
 */
import { IncomingCredit, OutgoingBody } from "../link/body.ts";
import type { ConnectHead, ResetHead } from "../link/messages.ts";
import { isHttpError } from "../sdk/http-error.ts";
import { type ContextSource, FunctionContext } from "./function-context.ts";
import type { CallParts } from "./function-call.ts";
import { failureText } from "./function-failure.ts";
import type { LinkExchange } from "./link-exchange.ts";
import { isThenable } from "./thenable.ts";

export interface CalledListener {
  readonly call: (...args: readonly unknown[]) => unknown;
  /** The listener's name: "tcp:1234". */
  readonly operation: string;
}

/** Answers are sent when so many characters of them are there, though lines of the same frame are left. */
const answersLengthMax = 64 * 1024;
const newline = 10;
const nothing = new Uint8Array(0);

/** Lines of one frame, and when they came. */
interface Arrival {
  readonly text: string;
  /** Of them, those to be granted when all are answered. */
  readonly bytes: number;
  readonly atMs: number;
}

/**
 * idle: every line is answered · running: the function, in this very turn · waiting: for a promise of its · blocked: until the
 * client takes answers · ending: the last answer is on its way · over.
 */
type Phase = "idle" | "running" | "waiting" | "blocked" | "ending" | "over";

export class LineConnection implements LinkExchange, ContextSource {
  readonly parts: CallParts;
  readonly #called: CalledListener;
  readonly #number: number;
  readonly #head: ConnectHead;
  readonly #context: FunctionContext;
  readonly #credit: IncomingCredit;
  readonly #outgoing: OutgoingBody;
  #phase: Phase = "idle";
  /** Lines that wait for the ones before them: at most a window. */
  #arrivals: Arrival[] = [];
  #arrival: Arrival | undefined;
  /** Where in the arrival's text the next line begins. */
  #at = 0;
  /** The beginning of a line whose rest is in the next frame. */
  #carry: Uint8Array | undefined;
  #ended = false;
  #answers = "";
  #sendPlanned = false;

  constructor(parts: CallParts, called: CalledListener, number: number, head: ConnectHead) {
    this.parts = parts;
    this.#called = called;
    this.#number = number;
    this.#head = head;
    this.#context = new FunctionContext(this);
    this.#credit = new IncomingCredit(parts.channel, number);
    this.#outgoing = new OutgoingBody(parts.channel, number);
    this.#outgoing.onWritable = () => this.#writable();
    parts.open.add(number, this);
    parts.open.quiet(1);
  }

  // --- what its context asks

  get requestId(): string {
    return this.#head.id;
  }

  get operation(): string {
    return this.#called.operation;
  }

  get logNumber(): number {
    return this.#phase === "over" ? 0 : this.#number;
  }

  /** Of the line that is being answered, or was last. */
  get deadline(): number {
    return (this.#arrival?.atMs ?? Date.now()) + this.#head.timeoutMs;
  }

  get client(): string | undefined {
    return this.#head.client;
  }

  get traceparent(): string | undefined {
    return undefined;
  }

  // --- what the host says

  data(bytes: Uint8Array, end: boolean): void {
    if (this.#phase === "over" || this.#ended) return;
    this.#credit.received(bytes.byteLength);
    this.#ended = end;
    this.#arrive(bytes);
    if (this.#phase === "idle") this.#run();
  }

  granted(bytes: number): void {
    this.#outgoing.grant(bytes);
  }

  reset({ reason }: ResetHead): void {
    const waited = this.#phase === "waiting";
    this.#close();
    if (waited) this.parts.abandoned.givenUp(this);
    const why =
      reason === "deadline"
        ? new DOMException("The line's deadline has passed", "TimeoutError")
        : new DOMException("The client has left", "AbortError");
    this.parts.running.run(this, () => this.#context.abort(why));
  }

  verdict(): void {
    // None is awaited for lines.
  }

  // --- lines

  /** Keeps the whole lines that came. */
  #arrive(bytes: Uint8Array): void {
    const whole = this.#ended ? bytes.byteLength : bytes.lastIndexOf(newline) + 1;
    const first = whole === bytes.byteLength ? bytes : bytes.subarray(0, whole);
    const carried = this.#carry;
    if (whole > 0) this.#carry = undefined;
    if (whole < bytes.byteLength) this.#carryOn(bytes.subarray(whole));
    const lines = carried === undefined ? first : whole > 0 || this.#ended ? Buffer.concat([carried, first]) : nothing;
    if (lines.byteLength === 0) return;
    const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString();
    this.#arrivals.push({ text, bytes: first.byteLength, atMs: Date.now() });
  }

  /** Granted at once: a line may be longer than a window, and the host limits it. */
  #carryOn(bytes: Uint8Array): void {
    this.#carry = this.#carry === undefined ? bytes : Buffer.concat([this.#carry, bytes]);
    this.#credit.consumed(bytes.byteLength);
  }

  #run(): void {
    this.#phase = "running";
    this.parts.running.run(this, answerLines, this);
  }

  /** Answers line by line until none is left, or one has to be waited for. */
  answerAll(): void {
    while (this.#phase === "running" && this.#next()) {
      const result = this.#answerOne();
      if (isThenable(result)) return this.#wait(result);
      this.#answers += answerText(this, result);
      if (this.#answers.length >= answersLengthMax) this.#send();
    }
    if (this.#phase === "running") this.#rest();
  }

  /** Whether there is a line to answer. */
  #next(): boolean {
    const arrival = this.#arrival;
    if (arrival !== undefined && this.#at < arrival.text.length) return true;
    if (arrival !== undefined) this.#credit.consumed(arrival.bytes);
    this.#at = 0;
    this.#arrival = this.#arrivals.shift();
    return this.#arrival !== undefined;
  }

  #answerOne(): unknown {
    const text = this.#arrival?.text ?? "";
    let end = text.indexOf("\n", this.#at);
    if (end < 0) end = text.length;
    const line = text.slice(this.#at, end > this.#at && text.charCodeAt(end - 1) === 13 ? end - 1 : end);
    this.#at = end + 1;
    try {
      return this.#called.call(line, this.#context);
    } catch (error) {
      return this.failureLine(error);
    }
  }

  #wait(result: PromiseLike<unknown>): void {
    this.#phase = "waiting";
    this.parts.open.quiet(-1);
    if (this.#answers !== "") this.#planSend();
    result.then(this.#answered, this.#threw);
  }

  readonly #answered = (result: unknown): void => {
    if (this.#phase !== "waiting") return this.parts.abandoned.settled(this);
    this.parts.open.quiet(1);
    this.#answers += answerText(this, result);
    if (!this.#outgoing.waits && this.#answers.length >= answersLengthMax) this.#send();
    if (this.#outgoing.waits) this.#phase = "blocked";
    else this.#run();
  };

  readonly #threw = (error: unknown): void => this.#answered(this.#phase === "waiting" ? this.failureLine(error) : "");

  /** No line is left. */
  #rest(): void {
    this.#phase = this.#ended ? "ending" : "idle";
    if (this.#answers !== "" || this.#ended) this.#send();
    if (this.#phase === "ending" && !this.#outgoing.waits) this.#close();
  }

  /** What is answered goes in the loop's next turn, together with what promises that are settled by then have added to it. */
  #planSend(): void {
    if (this.#sendPlanned) return;
    this.#sendPlanned = true;
    setImmediate(this.#sendWaiting);
  }

  readonly #sendWaiting = (): void => {
    this.#sendPlanned = false;
    if (this.#phase === "waiting" && this.#answers !== "" && !this.#outgoing.waits) this.#send();
  };

  #send(): void {
    const text = this.#answers;
    this.#answers = "";
    const room = this.#outgoing.write(text === "" ? nothing : Buffer.from(text), this.#phase === "ending");
    if (!room && (this.#phase === "idle" || this.#phase === "running")) this.#phase = "blocked";
  }

  #writable(): void {
    if (this.#phase === "blocked") this.#run();
    else if (this.#phase === "ending") this.#close();
  }

  /** What the client is told of an error; the log is told the rest. */
  failureLine(error: unknown): string {
    if (isHttpError(error)) return `Err: ${error.message.replaceAll(/\s*\n\s*/g, " ")}`;
    this.parts.log.message(this, "error", failureText(error));
    return "Err: The function failed";
  }

  #close(): void {
    if (this.#phase === "over") return;
    if (this.#phase !== "waiting") this.parts.open.quiet(-1);
    this.#phase = "over";
    this.#arrivals = [];
    this.#arrival = undefined;
    this.#carry = undefined;
    this.parts.open.delete(this.#number);
  }
}

/** A function of its own, so that a frame makes no closure. */
function answerLines(connection: LineConnection): void {
  connection.answerAll();
}

/** An answer with its newline. Newlines within are its author's affair; one at its end is the one that it gets anyhow. */
function answerText(connection: LineConnection, result: unknown): string {
  if (typeof result === "string") return result.endsWith("\n") ? result : `${result}\n`;
  switch (typeof result) {
    case "undefined":
      return "\n";
    case "number":
    case "bigint":
    case "boolean":
      return `${result}\n`;
    default:
      if (result instanceof Uint8Array) return answerText(connection, Buffer.from(result).toString());
      return `${connection.failureLine(new TypeError(`A function of lines returns text, not ${result === null ? "null" : `a value of type ${typeof result}`}`))}\n`;
  }
}
