/** The status line and headers of an answer as they are sent. */
import { STATUS_CODES } from "node:http";
import type { HeaderList } from "./front.ts";
import { isToken, valueBytes } from "./http-syntax.ts";

/** How the end of an answer's body is told. A number: by Content-Length. "none": it has no body, and says nothing of one. */
export type ResponseFraming = number | "chunked" | "until-close" | "none";

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
}

/** A status never has a body (RFC 9110 §6.4.1). */
export function isWithoutBody(status: number): boolean {
  return status === 204 || status === 304;
}

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    // 1xx is not an answer; the rest has three digits (RFC 9110 §15).
    if (!Number.isInteger(status) || status < 200 || status > 999) throw new RangeError(`Cannot answer with status ${status}`);
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

/** The front's own: what of them `headers` hold is left out. */
const framingNames = new Set(["content-length", "transfer-encoding", "connection", "keep-alive"]);
/** Names that were found good; bounded, because an app may make up as many as it likes. */
const goodNames = new Set<string>();
const goodNamesMax = 1_000;

function checkName(name: string): void {
  if (!isToken(name)) throw new TypeError(`Cannot send a header named ${JSON.stringify(name)}`);
  if (goodNames.size < goodNamesMax) goodNames.add(name);
}

/** How an answer says that its connection ends, or, to clients of HTTP/1.0, that it does not. */
export type ConnectionWord = "close" | "keep-alive" | "";

/**
 * Writes a head to the beginning of `target`, byte by byte: cheaper than making a text of its parts that is encoded once.
 * @param date the Date header's value.
 * @returns its length. More than `target` has: only what fits was written.
 * @throws TypeError for a name or value, RangeError for a status, that would break the message: a defect of the caller.
 */
export function writeResponseHead(
  target: Uint8Array,
  { status, headers }: ResponseHead,
  framing: ResponseFraming,
  connection: ConnectionWord,
  date: string,
): number {
  hasDate = false;
  let at = writeFields(target, write(target, 0, statusLine(status)), headers);
  if (!hasDate) at = write(target, write(target, write(target, at, "date: "), date), "\r\n");
  if (typeof framing === "number") at = write(target, write(target, write(target, at, "content-length: "), String(framing)), "\r\n");
  else if (framing === "chunked") at = write(target, at, "transfer-encoding: chunked\r\n");
  if (connection !== "") at = write(target, write(target, write(target, at, "connection: "), connection), "\r\n");
  return write(target, at, "\r\n");
}

/** Most heads are far shorter. */
let textPage = Buffer.allocUnsafe(4 * 1024);

/** As `writeResponseHead`, as text. */
export function responseHead(head: ResponseHead, framing: ResponseFraming, connection: ConnectionWord, date: string): string {
  return writtenText((target) => writeResponseHead(target, head, framing, connection, date));
}

/** What is written to the beginning of a target, as text. @param writeTo returns its length, which may be more than the target has. */
function writtenText(writeTo: (target: Uint8Array) => number): string {
  let bytes = writeTo(textPage);
  if (bytes > textPage.length) {
    textPage = Buffer.allocUnsafe(bytes);
    bytes = writeTo(textPage);
  }
  return textPage.toString("latin1", 0, bytes);
}

/** Of the headers that were written last. */
let hasDate = false;

function writeFields(target: Uint8Array, from: number, headers: HeaderList): number {
  let at = from;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!goodNames.has(name)) {
      if (framingNames.has(name.toLowerCase())) continue;
      checkName(name);
    }
    if (name === "date") hasDate = true;
    at = writeValue(target, write(target, write(target, at, name), ": "), headers[index + 1] as string, name);
    at = write(target, at, "\r\n");
  }
  return at;
}

// Bytes beyond the end of `target` go nowhere, as typed arrays have it.

/** @param text Latin-1. */
function write(target: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) target[at + index] = text.charCodeAt(index);
  return at + text.length;
}

function writeValue(target: Uint8Array, at: number, value: string, name: string): number {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (valueBytes[code] !== 1)
      throw new TypeError(`Cannot send the header ${name}: its value has a control character or one beyond Latin-1`);
    target[at + index] = code;
  }
  return at + value.length;
}

/** As `responseHead`, of an answer before the answer: 100 to 199 (RFC 9110 §15.2). */
export function interimHead(status: number, headers: HeaderList, connection: "upgrade" | ""): string {
  if (!Number.isInteger(status) || status < 100 || status > 199) throw new RangeError(`Cannot tell status ${status} before an answer`);
  return writtenText((target) => {
    const at = writeFields(target, write(target, 0, `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`), headers);
    return write(target, at, connection === "" ? "\r\n" : `connection: ${connection}\r\n\r\n`);
  });
}

/** Lines of trailers, each with its CR LF. */
export function trailerLines(trailers: HeaderList): string {
  return writtenText((target) => writeFields(target, 0, trailers));
}

/** The value of a header in a list; undefined: it is not there. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return headers[index + 1];
  return undefined;
}
