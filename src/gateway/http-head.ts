/**
 * Reads a request's head (RFC 9112 §2-§5) in one pass over its bytes. Strict: whatever is not exactly HTTP/1 is refused, because
 * a lenient parser behind or in front of another one is how requests are smuggled. A pure function of the bytes: it finds the
 * same in them however they came apart on the way.
 */
import { faultText, FieldNotes, fieldsEnd, readFields, scanFields } from "./http-fields.ts";
import { type Framing, readFraming } from "./http-framing.ts";
import { isListed } from "./http-hops.ts";
import { headBytesMax, headerLinesMax, methodBytesMax, targetBytesMax } from "./http-limits.ts";
import { repeatedText } from "./http-names.ts";
import { badRequest, isRefusal, type Refusal } from "./http-refusal.ts";
import { carriageReturn, lineFeed, space, targetBytes, tokenBytes, trimBlanks } from "./http-syntax.ts";
import { isHost, readUnusualTarget } from "./http-target.ts";

export interface RequestHead {
  readonly method: string;
  /** In origin-form without dot segments, or "*". */
  readonly target: string;
  readonly host: string | undefined;
  /** Names in lower case and values, as they came; the host is that of the target, where it has one. */
  readonly headers: readonly string[];
  readonly framing: Framing;
  readonly isHttp10: boolean;
  /** The client wants no further exchange on this connection, or cannot have one. */
  readonly isLast: boolean;
  /** It waits for "100 Continue" before it sends the body. */
  readonly expectsContinue: boolean;
  /** The protocols that the client would switch to, where it asks for it as RFC 9110 §7.8 has it and we could. */
  readonly upgrade: string | undefined;
  /** It has headers that only a proxy in front may send: `forwarding` ones of `http-names.ts`. */
  readonly isForwarded: boolean;
  /** Where its last line ends: the first byte that is not of it. */
  readonly end: number;
}

/** A head that will never be one, with what could be read of it for the log. */
export interface RefusedHead {
  readonly refusal: Refusal;
  readonly method?: string;
  readonly target?: string;
}

/** What a step of the scan came to: "more" bytes are needed, or it is known where things are. */
type Scanned = "found" | "more" | Refusal;

/** Where things are in a head, found in one pass. One is enough: what is read of a head is copied out before the next is scanned. */
class HeadScan {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** Nothing behind it is looked at: the end of what has come, or of what a head may have. */
  end = 0;
  /** The head may not get longer than it is. */
  isAtLimit = false;
  start = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  isHttp10 = false;

  begin(bytes: Buffer, from: number): void {
    this.bytes = bytes;
    this.at = from;
    this.isAtLimit = bytes.length - from >= headBytesMax;
    this.end = this.isAtLimit ? from + headBytesMax : bytes.length;
    this.start = this.methodEnd = this.targetStart = this.targetEnd = from;
  }

  ranOut(): Scanned {
    return this.isAtLimit ? { kind: "headers-too-large", detail: `The request's head is longer than ${headBytesMax} bytes` } : "more";
  }
}

const scan = new HeadScan();

/**
 * Reads the head that starts at `from`.
 * @returns undefined: more bytes are needed. Heads as long as they may be are read or refused.
 */
export function parseHead(bytes: Buffer, from: number): RequestHead | RefusedHead | undefined {
  scan.begin(bytes, from);
  let scanned = skipEmptyLine();
  if (scanned === "found") scanned = scanMethod();
  if (scanned === "found") scanned = scanTarget();
  if (scanned === "found") scanned = scanVersion();
  if (scanned === "found") scanned = scanHeaders();
  if (scanned === "more") return undefined;
  return scanned === "found" ? readHead() : refusedHead(scanned);
}

/** RFC 9112 §2.2: an empty line before a request is a mistake of old clients that is forgiven; one is. */
function skipEmptyLine(): Scanned {
  if (scan.bytes[scan.at] !== carriageReturn) return "found";
  const scanned = scanLineEnd();
  scan.start = scan.at;
  return scanned;
}

function scanMethod(): Scanned {
  const { bytes, end, start } = scan;
  let at = start;
  while (at < end && tokenBytes[bytes[at] as number] === 1) at++;
  scan.at = scan.methodEnd = at;
  if (at - start > methodBytesMax)
    return { kind: "not-implemented", detail: `The request's method is longer than ${methodBytesMax} letters` };
  if (at === end) return scan.ranOut();
  if (at > start && bytes[at] === space) return "found";
  // A TLS record: handshake, version 3.
  if (bytes[start] === 0x16) return badRequest("This port speaks HTTP without TLS");
  return badRequest("The request does not begin with a method");
}

function scanTarget(): Scanned {
  const { bytes, end } = scan;
  const start = scan.at + 1;
  let at = start;
  while (at < end && targetBytes[bytes[at] as number] === 1) at++;
  scan.at = scan.targetEnd = at;
  scan.targetStart = start;
  if (at - start > targetBytesMax) return { kind: "target-too-long", detail: `The request target is longer than ${targetBytesMax} bytes` };
  if (at >= end) return scan.ranOut();
  if (at > start && bytes[at] === space) return "found";
  return bytes[at] === carriageReturn || bytes[at] === lineFeed
    ? badRequest("The request line names no HTTP version")
    : badRequest("The request target has a character that must be percent-encoded, or is empty");
}

const version = Buffer.from("HTTP/1.1\r\n");

function scanVersion(): Scanned {
  const { bytes, end } = scan;
  const start = scan.at + 1;
  if (start + version.length > end) return scanOddVersion(start);
  for (let index = 0; index < version.length; index++) if (bytes[start + index] !== version[index]) return scanOddVersion(start);
  scan.isHttp10 = false;
  scan.at = start + version.length;
  return "found";
}

/** Another one than 1.1, or part of it, byte by byte. A higher minor version is 1.1 to us (RFC 9110 §2.5). */
function scanOddVersion(start: number): Scanned {
  const { bytes, end } = scan;
  for (let index = 0; index < 8; index++) {
    if (start + index >= end) return scan.ranOut();
    const byte = bytes[start + index] as number;
    const isNumber = index === 5 || index === 7;
    if (isNumber ? !isDigit(byte) : byte !== version[index]) return badRequest("The request line does not end in an HTTP version");
    if (index === 5 && byte !== 0x31) {
      return { kind: "version-not-supported", detail: `HTTP/${byte - 0x30} is not spoken here, HTTP/1.1 is` };
    }
  }
  scan.isHttp10 = bytes[start + 7] === 0x30;
  scan.at = start + 8;
  return scanLineEnd();
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function scanLineEnd(): Scanned {
  const { bytes, end, at } = scan;
  if (at >= end) return scan.ranOut();
  if (bytes[at] !== carriageReturn) return badLineEnd;
  if (at + 1 >= end) return scan.ranOut();
  if (bytes[at + 1] !== lineFeed) return badLineEnd;
  scan.at = at + 2;
  return "found";
}

const badLineEnd = badRequest(faultText("line-end", "request"));

function scanHeaders(): Scanned {
  const scanned = scanFields(scan.bytes, scan.at, scan.end, headerLinesMax);
  scan.at = fieldsEnd();
  if (scanned === "found") return scanned;
  if (scanned === "more") return scan.ranOut();
  return { kind: scanned === "too-many" ? "headers-too-large" : "bad-request", detail: faultText(scanned, "request") };
}

// What was found, read

function readHead(): RequestHead | RefusedHead {
  const { bytes, start } = scan;
  const method = repeatedText(bytes, start, scan.methodEnd);
  const raw = bytes.toString("latin1", scan.targetStart, scan.targetEnd);
  const notes = new FieldNotes();
  const headers = readFields(start, notes);
  const head = judge(method, raw, notes, headers);
  return "refusal" in head ? { ...head, method, target: raw } : head;
}

function judge(method: string, raw: string, notes: FieldNotes, headers: readonly string[]): RequestHead | RefusedHead {
  const { isHttp10, at: end } = scan;
  if (method === "CONNECT") return { refusal: { kind: "not-implemented", detail: "This is no proxy: CONNECT is not implemented" } };
  const hostRefusal = judgeHost(notes.host, isHttp10);
  if (hostRefusal !== undefined) return { refusal: hostRefusal };
  const target = isPlainPath(raw) ? raw : readUnusualTarget(method, raw);
  if (typeof target !== "string" && isRefusal(target)) return { refusal: target };
  const framing = readFraming(notes["content-length"], notes["transfer-encoding"], isHttp10);
  if (typeof framing === "object") return { refusal: framing };
  const expects = notes.expect !== undefined && !isHttp10;
  if (expects && notes.expect?.toLowerCase() !== "100-continue") {
    return { refusal: { kind: "expectation-failed", detail: "The request expects something else than 100-continue" } };
  }
  const authority = typeof target === "string" ? undefined : target.authority;
  return {
    method,
    target: typeof target === "string" ? target : target.target,
    host: authority ?? notes.host,
    headers: authority === undefined ? headers : withHost(headers, authority),
    framing,
    isHttp10,
    isLast: isLast(notes.connection, isHttp10),
    expectsContinue: expects && framing !== 0,
    upgrade: notes.upgrade === undefined || isHttp10 || framing !== 0 ? undefined : offered(notes.upgrade, notes.connection),
    isForwarded: notes.forwarding !== undefined,
    end,
  };
}

function refusedHead(refusal: Refusal): RefusedHead {
  const { bytes, start, methodEnd, targetStart, targetEnd } = scan;
  return {
    refusal,
    ...(bytes[methodEnd] === space && { method: bytes.toString("latin1", start, methodEnd) }),
    ...(bytes[targetEnd] === space && targetEnd > targetStart && { target: bytes.toString("latin1", targetStart, targetEnd) }),
  };
}

/** RFC 9112 §3.2.2: what Host says is to be ignored where the target has an authority. */
function withHost(headers: readonly string[], authority: string): readonly string[] {
  return headers.map((text, index) => (index % 2 === 1 && headers[index - 1] === "host" ? authority : text));
}

function judgeHost(host: string | undefined, isHttp10: boolean): Refusal | undefined {
  if (host === undefined) return isHttp10 ? undefined : badRequest("The request has no Host");
  return isHost(host) ? undefined : badRequest("The request's Host is not one host name or address");
}

/** A path in which nothing could be a dot segment, nor be taken for a slash. */
function isPlainPath(target: string): boolean {
  return target.startsWith("/") && !target.includes("/.") && !target.includes("/%") && !target.includes("\\");
}

function isLast(connection: string | undefined, isHttp10: boolean): boolean {
  if (connection === undefined) return isHttp10;
  if (connection === "keep-alive") return false;
  return isListed("close", connection) || (isHttp10 && !isListed("keep-alive", connection));
}

/**
 * Protocols that are HTTP or TLS again: who switches to one of them goes on asking, but nobody looks at it any more. Routes and
 * limits would be gone round ("h2c smuggling").
 */
const notOffered = /^(?:h2c?|http|tls)(?:\/|$)/i;

/** RFC 9110 §7.8. "h2c;x" is none: who reads less strictly could take it for one. */
const protocol = /^[!#$%&'*+\-.^_`|~\w]+(?:\/[!#$%&'*+\-.^_`|~\w]+)?$/;

function offered(upgrade: string, connection: string | undefined): string | undefined {
  if (connection === undefined || !isListed("upgrade", connection)) return undefined;
  const protocols = upgrade.split(",").map(trimBlanks);
  return protocols.filter((one) => protocol.test(one) && !notOffered.test(one)).join(", ") || undefined;
}
