/**
 * One connection of a program to the reply socket: which exchange its requests are for, their bodies on to it, and what
 * the program is told. Bodies are handed on as they come and never kept; a connection whose exchange has no room stops
 * reading, which the program feels as a full socket.
 */
import type { Socket } from "bun";
import type { EndedExchanges, EndedHow } from "./ended-exchanges.ts";
import { type RequestHead, type RequestPart, RequestReader } from "./http-request.ts";
import {
  answeredAlready,
  answerText,
  clientLeft,
  goOn,
  namedNothing,
  otherVerb,
  type ReplyAnswer,
  responseText,
  takenAndClosedText,
  takenText,
  tooLate,
  unknownRequest,
} from "./reply-answer.ts";
import { type ProgramReply, readReply } from "./reply-head.ts";
import { Splice } from "./splice.ts";

/** The exchange that a reply is for. */
export interface ReplyTarget {
  readonly replyStanding: "awaited" | EndedHow;
  /** The reply begins. False: there is no room for more of its body until the source is resumed. */
  beginReply(source: ReplySource, head: ProgramReply, chunk: Uint8Array, last: boolean): boolean;
  /** More of the body. Returns as `beginReply`. */
  replyData(chunk: Uint8Array, last: boolean): boolean;
  /** The connection closed before the body's end. */
  replyAborted(): void;
  /** The program tried and was told that this cannot be a reply; it may try again. */
  replyRefused(refusal: ReplyRefusal): void;
}

export interface ReplyRefusal {
  readonly reason: string;
}

/** What the exchange tells the connection that its reply comes from. */
export interface ReplySource {
  resume(): void;
  taken(): void;
  /** Refused, with reasons as problem+json. */
  judged(status: number, reasons: Uint8Array): void;
  /** The exchange was ended while its reply was under way. */
  tooLate(how: EndedHow): void;
}

/** Where connections look for exchanges. */
export interface ReplyDesk {
  readonly targets: ReadonlyMap<string, ReplyTarget>;
  readonly ended: EndedExchanges;
  /** The reply socket of a sibling instance that awaits a reply at this path. */
  findSibling(path: string): Promise<string | undefined>;
}

/** Marks requests that another instance handed on, so that they are not handed on for ever. */
export const handedOnHeader = "x-urocket-handed-on";

/** Bodies of requests that were refused are read and dropped up to so much, then the connection is closed. */
const discardBytesMax = 16 * 1024 * 1024;
/** A connection on which no exchange was named for so long is closed. */
const idleMsMax = 30_000;

const nothing = new Uint8Array(0);

type Doing =
  | { readonly at: "reading" }
  /** A reply's body goes to its exchange. */
  | { readonly at: "taking"; readonly target: ReplyTarget; left: number; unsent: ProgramReply | undefined }
  /** The whole reply went to its exchange, which will say what becomes of it. */
  | { readonly at: "awaiting" }
  /** A refused request's body is read and dropped. */
  | { readonly at: "discarding"; left: number }
  /** Siblings are being asked. */
  | { readonly at: "asking" }
  /** Handed on to a sibling. */
  | { readonly at: "spliced"; readonly splice: Splice }
  | { readonly at: "closed" };

const reading: Doing = { at: "reading" };
const awaiting: Doing = { at: "awaiting" };
const asking: Doing = { at: "asking" };
const closed: Doing = { at: "closed" };

export class ReplyConnection implements ReplySource {
  readonly #desk: ReplyDesk;
  readonly #socket: Socket<ReplyConnection>;
  readonly #reader = new RequestReader();
  #doing: Doing = reading;
  #idleSince = performance.now();
  /** Whether the connection closes after the answer to the request that is being handled. */
  #closes = false;
  #halfClosed = false;
  #isNew = true;
  /** There is no room for more of the body. */
  #blocked = false;
  #paused = false;
  #pumping = false;
  #unwritten: Buffer | undefined;

  constructor(desk: ReplyDesk, socket: Socket<ReplyConnection>) {
    this.#desk = desk;
    this.#socket = socket;
  }

  /** Whether a request is on its way of which it is not known yet what exchange it is for; on a new connection one always is. */
  get isUnattributed(): boolean {
    return this.#doing.at === "reading" && !this.#halfClosed && (this.#isNew || this.#reader.holds);
  }

  // --- what the socket says

  received(chunk: Uint8Array): void {
    if (this.#doing.at === "closed") return;
    if (this.#doing.at === "spliced") return this.#doing.splice.fromProgram(chunk);
    this.#reader.push(chunk);
    this.#pump();
  }

  /** The program sends no more; it may still read. */
  halfClosed(): void {
    this.#halfClosed = true;
    if (this.#doing.at === "spliced") return this.#doing.splice.programEnded();
    this.#pump();
  }

  writable(): void {
    if (this.#doing.at === "spliced") return this.#doing.splice.programWritable();
    const rest = this.#unwritten;
    this.#unwritten = undefined;
    if (rest !== undefined) this.#send(rest);
  }

  closed(): void {
    const doing = this.#doing;
    this.#doing = closed;
    if (doing.at === "taking") doing.target.replyAborted();
    if (doing.at === "spliced") doing.splice.close();
  }

  /** A coarse clock's tick. */
  checkIdle(nowMs: number): void {
    if (this.#doing.at === "reading" && nowMs - this.#idleSince > idleMsMax) this.#finish(answerText(namedNothing, true), true);
  }

  // --- what the exchange says

  resume(): void {
    this.#blocked = false;
    this.#pump();
  }

  taken(): void {
    this.#answered(this.#closes ? takenAndClosedText : takenText);
  }

  judged(status: number, reasons: Uint8Array): void {
    const body = Buffer.from(reasons.buffer, reasons.byteOffset, reasons.byteLength).toString("latin1");
    if (this.#doing.at === "taking") {
      // Refused before it was whole. The rest is read and dropped: a program that still writes would not see the answer.
      this.#closes = true;
      this.#blocked = false;
      this.#doing = { at: "discarding", left: discardBytesMax };
      this.#write(responseText(status, "application/problem+json", body, true));
      return this.#pump();
    }
    this.#answered(responseText(status, "application/problem+json", body, this.#closes));
  }

  tooLate(how: EndedHow): void {
    if (this.#doing.at === "taking") return this.#finish(answerText(answerFor(how), true), true);
    this.#closes = true;
    this.#answered(answerText(answerFor(how), true));
  }

  // --- reading

  #pump(): void {
    if (this.#pumping || this.#doing.at === "closed") return;
    this.#pumping = true;
    while (this.#mayRead()) {
      const part = this.#reader.next();
      if (part === undefined) break;
      this.#take(part);
    }
    this.#pumping = false;
    this.#sendHeadAlone();
    this.#throttle();
    if (this.#halfClosed) this.#afterHalfClose();
  }

  #mayRead(): boolean {
    const { at } = this.#doing;
    return !this.#blocked && (at === "reading" || at === "taking" || at === "discarding");
  }

  #take(part: RequestPart): void {
    switch (part.kind) {
      case "head":
        return this.#takeHead(part.head);
      case "body":
        return this.#takeBody(part.bytes);
      case "end":
        return this.#takeEnd();
      case "refused":
        return this.#takeRefused(part.status, part.reason);
    }
  }

  #takeHead(head: RequestHead): void {
    this.#isNew = false;
    this.#closes = !head.keepAlive;
    this.#idleSince = performance.now();
    const path = this.#pathOf(head);
    const target = this.#desk.targets.get(path);
    const standing = target?.replyStanding ?? this.#desk.ended.get(path);
    if (head.method === "GET" || head.method === "HEAD") return this.#takeQuestion(head, standing === "awaited");
    if (head.method !== "POST" && head.method !== "PUT") return this.#refuse(head, otherVerb);
    if (target !== undefined && standing === "awaited") return this.#takeReply(head, target);
    if (standing !== undefined && standing !== "awaited") return this.#refuse(head, answerFor(standing));
    if (head.headers.some(([name]) => name === handedOnHeader)) return this.#refuse(head, unknownRequest);
    this.#ask(head, path);
  }

  /** The path of a request's target. `curl http:/uri/x` takes "uri" for the host and asks it for "/x": that is tried too. */
  #pathOf(head: RequestHead): string {
    const path = targetPath(head.target);
    if (this.#desk.targets.has(path) || this.#desk.ended.get(path) !== undefined) return path;
    const withHost = `/${head.host}${path}`;
    return this.#desk.targets.has(withHost) || this.#desk.ended.get(withHost) !== undefined ? withHost : path;
  }

  #takeQuestion(head: RequestHead, awaited: boolean): void {
    if (head.bodyBytes !== 0) this.#startDiscarding(head);
    const text = awaited ? responseText(204, "", "", this.#closes) : answerText(unknownRequest, this.#closes);
    this.#answered(head.method === "HEAD" ? text.slice(0, text.indexOf("\r\n\r\n") + 4) : text);
  }

  #takeReply(head: RequestHead, target: ReplyTarget): void {
    const reply = readReply(head);
    if (!reply.ok) {
      target.replyRefused({ reason: reply.reason });
      return this.#refuse(head, { status: 400, message: `This cannot be a reply: ${reply.reason}` });
    }
    if (head.bodyBytes === 0) {
      this.#doing = awaiting;
      this.#blocked = !target.beginReply(this, reply.head, nothing, true);
      return;
    }
    if (head.expectsContinue && !this.#reader.holds) this.#write(goOn);
    this.#doing = { at: "taking", target, left: head.bodyBytes, unsent: reply.head };
  }

  #takeBody(bytes: Uint8Array): void {
    const doing = this.#doing;
    if (doing.at === "discarding") {
      doing.left -= bytes.length;
      if (doing.left < 0) this.#close();
      return;
    }
    if (doing.at !== "taking") return;
    const last = doing.left > 0 && doing.left === bytes.length;
    doing.left -= doing.left > 0 ? bytes.length : 0;
    this.#handOn(doing, bytes, last);
  }

  #takeEnd(): void {
    const doing = this.#doing;
    if (doing.at === "discarding") {
      this.#doing = reading;
      if (this.#closes) this.#end();
    } else if (doing.at === "taking") {
      this.#handOn(doing, nothing, true);
    }
  }

  #handOn(doing: Extract<Doing, { at: "taking" }>, bytes: Uint8Array, last: boolean): void {
    // Before the exchange hears of it: it may answer at once.
    if (last) this.#doing = awaiting;
    const head = doing.unsent;
    doing.unsent = undefined;
    const room = head === undefined ? doing.target.replyData(bytes, last) : doing.target.beginReply(this, head, bytes, last);
    if (!last) this.#blocked = !room;
  }

  /** A head whose body has not come with it goes on alone: its program may think before it writes. */
  #sendHeadAlone(): void {
    const doing = this.#doing;
    if (doing.at === "taking" && doing.unsent !== undefined && !this.#blocked) this.#handOn(doing, nothing, false);
  }

  #takeRefused(status: number, reason: string): void {
    this.#finish(answerText({ status, message: `This request is not understood: ${reason}` }, true), true);
  }

  #throttle(): void {
    const { at } = this.#doing;
    if (at === "closed" || at === "spliced") return;
    // An open head is held until it is whole (it has a maximum); everything else that is held means: no more now.
    const pause = this.#blocked || ((at === "awaiting" || at === "asking") && this.#reader.holds);
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #afterHalfClose(): void {
    const { at } = this.#doing;
    if (this.#blocked || this.#reader.holds || at === "awaiting" || at === "asking") {
      if (at === "reading" && this.#reader.holds) this.#close();
      return;
    }
    if (at === "taking" || at === "reading" || at === "discarding") this.#close();
  }

  // --- answering

  /** Answers a request whose body, if it has one, is not wanted. */
  #refuse(head: RequestHead, answer: ReplyAnswer): void {
    // Who waits for "100 Continue" will not send the body, and may not know where the next request would begin.
    if (head.expectsContinue) return this.#finish(answerText(answer, true), true);
    if (head.bodyBytes !== 0) this.#startDiscarding(head);
    this.#answered(answerText(answer, this.#closes));
  }

  #startDiscarding(head: RequestHead): void {
    if (head.bodyBytes > discardBytesMax) this.#closes = true;
    this.#doing = { at: "discarding", left: discardBytesMax };
  }

  /** The answer to the request that is being handled. */
  #answered(text: string): void {
    if (this.#doing.at === "closed") return;
    this.#idleSince = performance.now();
    this.#write(text);
    if (this.#doing.at === "discarding") return;
    this.#doing = reading;
    this.#blocked = false;
    if (this.#closes) return this.#end();
    this.#pump();
  }

  /** The last answer on this connection. */
  #finish(text: string, end: boolean): void {
    this.#write(text);
    if (end) this.#end();
  }

  #write(text: string): void {
    if (this.#unwritten === undefined) {
      const written = this.#socket.write(text);
      if (written < text.length && written >= 0) this.#unwritten = Buffer.from(text.slice(written), "latin1");
    } else {
      this.#unwritten = Buffer.concat([this.#unwritten, Buffer.from(text, "latin1")]);
    }
  }

  #send(bytes: Buffer): void {
    const written = this.#socket.write(bytes);
    if (written >= 0 && written < bytes.length) this.#unwritten = bytes.subarray(written);
    else if (this.#doing.at === "closed") this.#socket.end();
  }

  /** Closes when what was written has gone. */
  #end(): void {
    this.#doing = closed;
    if (this.#unwritten === undefined) this.#socket.end();
  }

  #close(): void {
    const doing = this.#doing;
    this.#doing = closed;
    if (doing.at === "taking") doing.target.replyAborted();
    this.#socket.end();
  }

  // --- siblings

  #ask(head: RequestHead, path: string): void {
    this.#doing = asking;
    void this.#handOnToSibling(head, path);
  }

  async #handOnToSibling(head: RequestHead, path: string): Promise<void> {
    const sibling = await this.#desk.findSibling(path);
    if (this.#doing.at !== "asking") return;
    if (sibling === undefined) {
      this.#doing = reading;
      this.#refuse(head, unknownRequest);
      this.#pump();
      return;
    }
    const marked = head.raw.replace("\r\n", `\r\n${handedOnHeader}: 1\r\n`);
    const opening = Buffer.concat([Buffer.from(marked, "latin1"), this.#reader.takeRest()]);
    const splice = new Splice(this.#socket, opening);
    this.#doing = { at: "spliced", splice };
    if (this.#paused) this.#socket.resume();
    if (this.#halfClosed) splice.programEnded();
    await splice.connect(sibling);
  }
}

function answerFor(how: EndedHow): ReplyAnswer {
  return how === "answered" ? answeredAlready : how === "client-left" ? clientLeft : tooLate;
}

/** Without the query, and without scheme and host where they are given (absolute form, RFC 9112 §3.2.2). */
export function targetPath(target: string): string {
  const question = target.indexOf("?");
  const whole = question < 0 ? target : target.slice(0, question);
  if (whole.startsWith("/")) return whole;
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(whole);
  if (scheme === null) return whole;
  const slash = whole.indexOf("/", scheme[0].length);
  return slash < 0 ? "/" : whole.slice(slash);
}
