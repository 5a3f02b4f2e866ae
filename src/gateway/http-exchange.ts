/** A request as the gateway gets it, with the answer that it gives: which bytes an answer is, and when it is whole. */
import type { Origin } from "./forwarded.ts";
import type { BodySink, FrontExchange, FrontTunnel, HeaderList } from "./front.ts";
import type { RequestHead } from "./http-head.ts";
import { acceptsTrailers } from "./http-hops.ts";
import {
  type ConnectionWord,
  headerOf,
  interimHead,
  isWithoutBody,
  type ResponseFraming,
  responseHead,
  trailerLines,
  writeResponseHead,
} from "./http-response-head.ts";
import { page, type Piece } from "./http-output.ts";
import { isTrailer } from "./http-trailers.ts";
import { HttpTunnel } from "./http-tunnel.ts";

/** The connection that an exchange is on. */
export interface ExchangeConnection {
  /** The Date header's value. */
  readonly date: string;
  /** The connection ends with this answer, whatever the client asked for. */
  readonly mustEnd: boolean;
  read(sink: BodySink): void;
  pause(): void;
  resume(): void;
  /** @param head its text, or how many bytes of the `page` it is. */
  sendWhole(head: string | number, body: Piece, bodyBytes: number): void;
  /** @returns false: the client is slow. */
  sendPieces(before: string, chunk?: Uint8Array, after?: string): boolean;
  /** The connection is no longer HTTP. @param head of the answer that says so. */
  switched(head: string): FrontTunnel;
  /** The answer is whole. @param isLast the connection ends with it. */
  answered(isLast: boolean): void;
  /** Ends the connection. @param isReset so that the client cannot take what it has for the whole. */
  breakOff(isReset: boolean): void;
  defect(error: Error): void;
}

const noBody = "";

export class HttpExchange implements FrontExchange {
  onWritable: (() => void) | undefined;
  onClosed: (() => void) | undefined;
  readonly #head: RequestHead;
  readonly #connection: ExchangeConnection;
  readonly #origin: Origin;
  #answer: "none" | "begun" | "over" = "none";
  #isLast = false;
  /** Of an answer that has begun. */
  #framing: ResponseFraming = "none";
  /** What is missing of an announced Content-Length. */
  #missingBytes = 0;

  constructor(head: RequestHead, origin: Origin, connection: ExchangeConnection) {
    this.#head = head;
    this.#origin = origin;
    this.#connection = connection;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get host(): string | undefined {
    return this.#origin.host;
  }

  get headers(): HeaderList {
    return this.#head.headers;
  }

  get client(): string | undefined {
    return this.#origin.client;
  }

  get proto(): "http" | "https" {
    return this.#origin.proto;
  }

  get forwarding(): HeaderList {
    return this.#origin.forwarding;
  }

  get upgrade(): string | undefined {
    return this.#head.upgrade;
  }

  get hasBody(): boolean {
    return this.#head.framing !== 0;
  }

  get contentLength(): number | undefined {
    const { framing } = this.#head;
    return typeof framing === "number" && framing > 0 ? framing : undefined;
  }

  get(name: string): string | null {
    const { headers } = this.#head;
    let found: string | null = null;
    for (let index = 0; index < headers.length; index += 2) {
      if (headers[index] === name) found = found === null ? (headers[index + 1] as string) : `${found}, ${headers[index + 1]}`;
    }
    return found;
  }

  read(sink: BodySink): void {
    if (this.#answer !== "over") this.#connection.read(sink);
  }

  pause(): void {
    if (this.#answer !== "over") this.#connection.pause();
  }

  resume(): void {
    if (this.#answer !== "over") this.#connection.resume();
  }

  respond(status: number, headers: HeaderList, body: Uint8Array | string = noBody): void {
    if (this.#answer === "over") return;
    if (this.#answer === "begun") throw new Error("Cannot answer: an answer has begun");
    const bytes = typeof body === "string" ? (body === "" ? 0 : Buffer.byteLength(body)) : body.byteLength;
    const isLast = this.#willEnd(headers);
    const framing = this.#wholeFraming(status, headers, bytes);
    const word = this.#connectionWord(isLast);
    const { date } = this.#connection;
    const headBytes = writeResponseHead(page, { status, headers }, framing, word, date);
    const head = headBytes > page.length ? responseHead({ status, headers }, framing, word, date) : headBytes;
    this.#answer = "over";
    const isDropped = this.#head.method === "HEAD" || isWithoutBody(status) || status === 205;
    this.#connection.sendWhole(head, isDropped ? noBody : body, isDropped ? 0 : bytes);
    this.#connection.answered(isLast);
  }

  inform(status: number, headers: HeaderList): void {
    if (status < 102) throw new RangeError(`Cannot tell status ${status} before an answer: it has a meaning to the connection`);
    if (this.#answer === "none" && !this.#head.isHttp10) this.#connection.sendWhole(interimHead(status, headers, ""), noBody, 0);
  }

  switchProtocols(headers: HeaderList): FrontTunnel {
    if (this.#answer === "over") return new HttpTunnel(undefined);
    const { upgrade } = this.#head;
    if (this.#answer === "begun" || upgrade === undefined)
      throw new Error("Cannot switch protocols: nobody asked for it, or an answer has begun");
    const agreed = headerOf(headers, "upgrade") === undefined ? [...headers, "upgrade", upgrade] : headers;
    const head = interimHead(101, agreed, "upgrade");
    this.#answer = "over";
    return this.#connection.switched(head);
  }

  begin(status: number, headers: HeaderList): void {
    if (this.#answer === "over") return;
    if (this.#answer === "begun") throw new Error("Cannot begin an answer: one has begun");
    const framing = this.#piecewiseFraming(status, headers);
    this.#isLast = framing === "until-close" || this.#willEnd(headers);
    const head = responseHead({ status, headers }, framing, this.#connectionWord(this.#isLast), this.#connection.date);
    this.#answer = "begun";
    this.#framing = this.#head.method === "HEAD" || isWithoutBody(status) || status === 205 ? "none" : framing;
    if (typeof this.#framing === "number") this.#missingBytes = this.#framing;
    this.#connection.sendPieces(head);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#answer === "none") throw new Error("Cannot write: no answer has begun");
    if (this.#answer === "over" || this.#framing === "none" || chunk.byteLength === 0) return true;
    if (this.#framing === "until-close") return this.#connection.sendPieces("", chunk);
    if (this.#framing === "chunked") {
      // Its end goes out with it: a client may wait for that before it takes an event.
      return this.#connection.sendPieces(`${chunk.byteLength.toString(16)}\r\n`, chunk, "\r\n");
    }
    if (chunk.byteLength > this.#missingBytes) return this.#fail(`An answer of ${this.#framing} bytes goes on beyond its Content-Length`);
    this.#missingBytes -= chunk.byteLength;
    return this.#connection.sendPieces("", chunk);
  }

  end(trailers?: HeaderList): void {
    if (this.#answer === "none") throw new Error("Cannot end an answer: none has begun");
    if (this.#answer === "over") return;
    if (this.#missingBytes > 0) {
      this.#fail(`An answer of ${this.#framing} bytes ended ${this.#missingBytes} bytes early`);
      return;
    }
    const last = this.#framing === "chunked" ? `0\r\n${this.#trailers(trailers)}\r\n` : "";
    this.#answer = "over";
    if (last !== "") this.#connection.sendPieces(last);
    this.#connection.answered(this.#isLast);
  }

  breakOff(): void {
    if (this.#answer === "over") return;
    this.#answer = "over";
    this.#connection.breakOff(this.#framing === "until-close");
  }

  /** For the connection: whether an answer has begun. */
  get hasBegun(): boolean {
    return this.#answer !== "none";
  }

  /** For the connection: the client is gone. */
  gone(): void {
    if (this.#answer === "over") return;
    this.#answer = "over";
    this.onClosed?.();
  }

  /** RFC 9110 §6.5.1: to who says that they are kept, and none that would change what was made of the answer. */
  #trailers(trailers: HeaderList | undefined): string {
    if (trailers === undefined || trailers.length === 0 || !acceptsTrailers(this.#head.headers)) return "";
    return trailerLines(trailers.filter((_, index) => isTrailer(trailers[index - (index % 2)] ?? "")));
  }

  #fail(what: string): true {
    this.breakOff();
    this.#connection.defect(new Error(what));
    return true;
  }

  #willEnd(headers: HeaderList): boolean {
    return this.#head.isLast || this.#connection.mustEnd || headerOf(headers, "connection") === "close";
  }

  #connectionWord(isLast: boolean): ConnectionWord {
    return isLast ? "close" : this.#head.isHttp10 ? "keep-alive" : "";
  }

  /** @param bytes of the body that was given. */
  #wholeFraming(status: number, headers: HeaderList, bytes: number): ResponseFraming {
    if (status === 204) return "none";
    if (status === 205) return 0;
    // What GET would have (RFC 9110 §8.6).
    if (status === 304 || (this.#head.method === "HEAD" && bytes === 0)) return announcedLength(headers) ?? "none";
    return bytes;
  }

  #piecewiseFraming(status: number, headers: HeaderList): ResponseFraming {
    if (status === 204) return "none";
    if (status === 205) return 0;
    const length = announcedLength(headers);
    if (length !== undefined) return length;
    if (status === 304) return "none";
    if (!this.#head.isHttp10) return "chunked";
    return this.#head.method === "HEAD" ? "none" : "until-close";
  }
}

function announcedLength(headers: HeaderList): number | undefined {
  const text = headerOf(headers, "content-length");
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
