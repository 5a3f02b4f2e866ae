/**
 * Reads HTTP/1.1 requests from the bytes of a connection, strictly (RFC 9110, RFC 9112). Programs speak to the reply
 * socket with whatever HTTP client they have, so everything that a correct client sends is taken; whatever two readers
 * could understand differently (RFC 9112 §6.3, request smuggling) is refused. Nothing here touches a socket: bytes are
 * pushed in, parts are taken out, and a reader whose parts are not taken holds what was pushed and nothing more.
 */

/** The request line and the headers together, in bytes. */
export const headBytesMax = 16 * 1024;
export const headerCountMax = 100;
/** A chunk's size line with its extensions, in bytes. */
const chunkLineBytesMax = 256;
/** All trailers together, in bytes. They are read and dropped. */
const trailerBytesMax = 8 * 1024;

export interface RequestHead {
  readonly method: string;
  /** As sent: "/uri/x?status=201", or "http://host/uri/x" in absolute form. */
  readonly target: string;
  /** In the order of arrival, names in lower case, values trimmed. */
  readonly headers: readonly (readonly [string, string])[];
  readonly host: string;
  /** Bytes of the body where they are known; -1: chunked. */
  readonly bodyBytes: number;
  readonly expectsContinue: boolean;
  /** Whether another request may follow on the connection. */
  readonly keepAlive: boolean;
  /** The head as it was sent, in latin-1, with the empty line: for handing it on. */
  readonly raw: string;
}

export type RequestPart =
  | { readonly kind: "head"; readonly head: RequestHead }
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "refused"; readonly status: RefusedStatus; readonly reason: string };

export type RefusedStatus = 400 | 431 | 501 | 505;

type Phase =
  | { readonly at: "head" }
  | { readonly at: "body"; left: number }
  | { readonly at: "chunk-size" }
  | { readonly at: "chunk"; left: number }
  | { readonly at: "chunk-end" }
  | { readonly at: "trailers"; read: number }
  | { readonly at: "end" }
  | { readonly at: "refused" };

const atHead: Phase = { at: "head" };
const atChunkSize: Phase = { at: "chunk-size" };
const atChunkEnd: Phase = { at: "chunk-end" };
const atEnd: Phase = { at: "end" };
const atRefused: Phase = { at: "refused" };
const endPart: RequestPart = { kind: "end" };
const nothing = Buffer.alloc(0);

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** VCHAR, obs-text, space and tab: no other control character (RFC 9110 §5.5). */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP\/(\d)\.(\d)$/;
const digits = /^\d{1,15}$/;
const chunkSize = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

export class RequestReader {
  #pending: Buffer = nothing;
  #phase: Phase = atHead;
  /** How far the pending bytes were searched for the end of the head, so that a dribbled head is not searched again. */
  #searched = 0;

  /** Whether nothing of a request has been read yet: a connection may close here without breaking one. */
  get idle(): boolean {
    return this.#phase.at === "head" && this.#pending.length === 0;
  }

  /** Whether bytes wait to be taken by `next`. */
  get holds(): boolean {
    return this.#pending.length > 0;
  }

  /** Adds bytes of the connection. They are kept, not copied: the caller must not write to them again. */
  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** Takes what was pushed and not read, for handing the connection on. */
  takeRest(): Buffer {
    const rest = this.#pending;
    this.#pending = nothing;
    return rest;
  }

  /** The next part, or undefined when more bytes are needed. After "end" it goes on with the next request. */
  next(): RequestPart | undefined {
    const phase = this.#phase;
    switch (phase.at) {
      case "head":
        return this.#readHead();
      case "body":
      case "chunk":
        return this.#readBytes(phase);
      case "chunk-size":
        return this.#readChunkSize();
      case "chunk-end":
        return this.#readChunkEnd();
      case "trailers":
        return this.#readTrailer(phase);
      case "end":
        this.#phase = atHead;
        return endPart;
      case "refused":
        return undefined;
    }
  }

  #readHead(): RequestPart | undefined {
    this.#skipEmptyLines();
    const end = this.#pending.indexOf("\r\n\r\n", Math.max(0, this.#searched - 3), "latin1");
    if (end < 0) {
      this.#searched = this.#pending.length;
      return this.#pending.length > headBytesMax ? this.#tooLarge() : undefined;
    }
    this.#searched = 0;
    if (end + 4 > headBytesMax) return this.#tooLarge();
    const raw = this.#pending.toString("latin1", 0, end + 4);
    this.#pending = this.#pending.subarray(end + 4);
    const parsed = parseHead(raw);
    if (parsed.kind === "refused") {
      this.#phase = atRefused;
      return parsed;
    }
    this.#phase =
      parsed.head.bodyBytes < 0 ? atChunkSize : parsed.head.bodyBytes === 0 ? atEnd : { at: "body", left: parsed.head.bodyBytes };
    return parsed;
  }

  /** RFC 9112 §2.2: empty lines before a request line are ignored. */
  #skipEmptyLines(): void {
    let start = 0;
    while (this.#pending[start] === 13 && this.#pending[start + 1] === 10) start += 2;
    if (start > 0) {
      this.#pending = this.#pending.subarray(start);
      this.#searched = 0;
    }
  }

  #readBytes(phase: { readonly at: "body" | "chunk"; left: number }): RequestPart | undefined {
    if (this.#pending.length === 0) return undefined;
    const bytes = this.#pending.subarray(0, phase.left);
    this.#pending = this.#pending.subarray(bytes.length);
    phase.left -= bytes.length;
    if (phase.left === 0) this.#phase = phase.at === "body" ? atEnd : atChunkEnd;
    return { kind: "body", bytes };
  }

  #readChunkSize(): RequestPart | undefined {
    const line = this.#takeLine(chunkLineBytesMax);
    if (line === undefined) return undefined;
    const size = line === false ? null : chunkSize.exec(line);
    if (size === null) return this.#refuse(400, "a chunk's size is not a hexadecimal number on a line of its own");
    const left = Number.parseInt(size[1] ?? "", 16);
    this.#phase = left === 0 ? { at: "trailers", read: 0 } : { at: "chunk", left };
    return this.next();
  }

  #readChunkEnd(): RequestPart | undefined {
    if (this.#pending.length < 2) return undefined;
    if (this.#pending[0] !== 13 || this.#pending[1] !== 10) return this.#refuse(400, "a chunk is longer than its size says");
    this.#pending = this.#pending.subarray(2);
    this.#phase = atChunkSize;
    return this.next();
  }

  #readTrailer(phase: { readonly at: "trailers"; read: number }): RequestPart | undefined {
    const line = this.#takeLine(trailerBytesMax - phase.read);
    if (line === undefined) return undefined;
    if (line === false) return this.#refuse(431, `the trailers are over ${trailerBytesMax} bytes`);
    if (line !== "") {
      phase.read += line.length + 2;
      return this.next();
    }
    this.#phase = atEnd;
    return this.next();
  }

  /** A line without its CRLF; undefined: not all there yet; false: over the maximum or with a bare CR or LF. */
  #takeLine(bytesMax: number): string | false | undefined {
    const end = this.#pending.indexOf(10);
    if (end < 0) return this.#pending.length > bytesMax ? false : undefined;
    if (end > bytesMax || this.#pending[end - 1] !== 13) return false;
    const line = this.#pending.toString("latin1", 0, end - 1);
    this.#pending = this.#pending.subarray(end + 1);
    return line.includes("\r") ? false : line;
  }

  #tooLarge(): RequestPart {
    return this.#refuse(431, `the request line and headers are over ${headBytesMax} bytes`);
  }

  #refuse(status: RefusedStatus, reason: string): RequestPart {
    this.#phase = atRefused;
    return refused(status, reason);
  }
}

type ParsedHead = Extract<RequestPart, { kind: "head" | "refused" }>;

function refused(status: RefusedStatus, reason: string): Extract<RequestPart, { kind: "refused" }> {
  return { kind: "refused", status, reason };
}

/** Reads a whole head, up to and with its empty line. */
export function parseHead(raw: string): ParsedHead {
  const lineEnd = raw.indexOf("\r\n");
  const line = requestLine.exec(raw.slice(0, lineEnd));
  if (line === null) return refused(400, "the request line is not `METHOD target HTTP/1.1`");
  const [, method = "", target = "", major, minor] = line;
  if (major !== "1") return refused(505, `HTTP/${major}.${minor} is not spoken here: use HTTP/1.1`);
  const headers = parseHeaders(raw, lineEnd + 2);
  if (!Array.isArray(headers)) return headers;
  return framedHead(raw, method, target, minor !== "0", headers);
}

function parseHeaders(raw: string, from: number): [string, string][] | Extract<RequestPart, { kind: "refused" }> {
  const headers: [string, string][] = [];
  let start = from;
  for (;;) {
    const end = raw.indexOf("\r\n", start);
    if (end === start) return headers;
    const colon = raw.indexOf(":", start);
    const name = raw.slice(start, colon < end ? colon : start);
    // A space before the colon or at the line's start (a folded line) makes readers disagree: RFC 9112 §5.1, §5.2.
    if (colon < 0 || !token.test(name))
      return refused(400, `a header line is not "name: value": ${JSON.stringify(raw.slice(start, Math.min(end, start + 60)))}`);
    const value = trimBlank(raw.slice(colon + 1, end));
    if (!fieldValue.test(value)) return refused(400, `the value of header "${name}" holds a control character`);
    if (headers.push([name.toLowerCase(), value]) > headerCountMax) return refused(431, `there are more than ${headerCountMax} headers`);
    start = end + 2;
  }
}

/** Without the spaces and tabs around it; `trim` would take more (RFC 9110 §5.6.3). */
function trimBlank(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Works out where the body ends (RFC 9112 §6.3). Two answers to that question are one too many: refused. */
function framedHead(
  raw: string,
  method: string,
  target: string,
  http11: boolean,
  headers: readonly (readonly [string, string])[],
): ParsedHead {
  let host: string | undefined;
  let length: string | undefined;
  let coding: string | undefined;
  let expect: string | undefined;
  let connection = "";
  for (const [name, value] of headers) {
    switch (name) {
      case "host":
        if (host !== undefined) return refused(400, "there are two Host headers");
        host = value;
        break;
      case "content-length":
        if (length !== undefined) return refused(400, "there are two Content-Length headers");
        length = value;
        break;
      case "transfer-encoding":
        if (coding !== undefined) return refused(400, "there are two Transfer-Encoding headers");
        coding = value;
        break;
      case "expect":
        expect = value.toLowerCase();
        break;
      case "connection":
        connection += `,${value.toLowerCase()}`;
        break;
    }
  }
  if (http11 && host === undefined) return refused(400, "there is no Host header");
  if (length !== undefined && !digits.test(length))
    return refused(400, `Content-Length is not a number of bytes: ${JSON.stringify(length.slice(0, 40))}`);
  if (coding !== undefined && length !== undefined) return refused(400, "there are both Content-Length and Transfer-Encoding");
  if (coding !== undefined && !http11) return refused(400, "Transfer-Encoding needs HTTP/1.1");
  if (coding !== undefined && coding.toLowerCase() !== "chunked")
    return refused(501, `Transfer-Encoding ${JSON.stringify(coding.slice(0, 40))} is not known: only "chunked" is`);
  const options = connection.split(",").map((option) => option.trim());
  return {
    kind: "head",
    head: {
      method,
      target,
      headers,
      host: host ?? "",
      bodyBytes: coding === undefined ? Number(length ?? 0) : -1,
      expectsContinue: http11 && expect === "100-continue",
      keepAlive: http11 ? !options.includes("close") : options.includes("keep-alive"),
      raw,
    },
  };
}
