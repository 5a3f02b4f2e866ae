/**
 * Reads the head of a daemon's reply (RFC 9112 §4-§6) in one pass over its bytes, as strictly as a request's: what the daemon and
 * its proxy could cut at different places is how one client is given the answer to another.
 */
import { faultText, FieldNotes, fieldsEnd, readFields, scanFields } from "./http-fields.ts";
import { type Framing, readReplyFraming } from "./http-framing.ts";
import type { HeaderList } from "./front.ts";
import { isListed } from "./http-hops.ts";
import { replyHeadBytesMax, replyHeaderLinesMax } from "./http-limits.ts";
import { carriageReturn, lineFeed, space, valueBytes } from "./http-syntax.ts";

/** How the end of a reply's body is told. "none": a status that never has one. */
export type ReplyFraming = number | "chunked" | "until-close" | "none";

export interface ReplyHead {
  /** 100 to 599. */
  readonly status: number;
  /** As they came, names in lower case. */
  readonly headers: HeaderList;
  /** Of its body, if the request was not HEAD: the answer to that never has one. */
  readonly framing: ReplyFraming;
  /** The daemon takes another request on this connection. */
  readonly isKept: boolean;
  /** Where it ends: the first byte that is not of it. */
  readonly end: number;
}

/** A reply that will never be one. */
export interface BadReply {
  /** What is wrong, as a sentence about "the reply". */
  readonly bad: string;
}

/**
 * Reads the head that starts at `from`. A pure function of the bytes.
 * @returns undefined: more bytes are needed. Heads as long as they may be are read or refused.
 */
export function parseReplyHead(bytes: Buffer, from: number): ReplyHead | BadReply | undefined {
  const isAtLimit = bytes.length - from >= replyHeadBytesMax;
  const end = isAtLimit ? from + replyHeadBytesMax : bytes.length;
  const line = scanStatusLine(bytes, from, end);
  if (typeof line === "object") return line;
  if (line === "more") return isAtLimit ? tooLong : undefined;
  const scanned = scanFields(bytes, line, end, replyHeaderLinesMax);
  if (scanned === "more") return isAtLimit ? tooLong : undefined;
  return scanned === "found" ? readHead(bytes, from) : { bad: faultText(scanned, "reply") };
}

const tooLong: BadReply = { bad: `The reply's head is longer than ${replyHeadBytesMax} bytes` };
const notHttp: BadReply = { bad: "The reply does not begin with an HTTP/1 status line" };
const badLine: BadReply = { bad: "The reply's status line does not end in CR LF, or has a control character" };

const version = Buffer.from("HTTP/1.");

/** @returns where the line ends. */
function scanStatusLine(bytes: Buffer, from: number, end: number): number | "more" | BadReply {
  for (let index = 0; index < version.length; index++) {
    if (from + index >= end) return "more";
    if (bytes[from + index] !== version[index]) return notHttp;
  }
  // The minor version, a space and the status.
  for (let index = 7; index < 12; index++) {
    if (from + index >= end) return "more";
    const byte = bytes[from + index] as number;
    if (index === 8 ? byte !== space : byte < 0x30 || byte > 0x39) return notHttp;
  }
  let at = from + 12;
  if (at >= end) return "more";
  // RFC 9112 §4 wants a space even where no phrase follows; servers that leave it out mean nothing else.
  if (bytes[at] !== space && bytes[at] !== carriageReturn) return notHttp;
  while (at < end && valueBytes[bytes[at] as number] === 1) at++;
  if (at >= end) return "more";
  if (bytes[at] !== carriageReturn) return badLine;
  if (at + 1 >= end) return "more";
  return bytes[at + 1] === lineFeed ? at + 2 : badLine;
}

function readHead(bytes: Buffer, from: number): ReplyHead | BadReply {
  const isHttp10 = bytes[from + 7] === 0x30;
  const status = (bytes[from + 9] as number) * 100 + (bytes[from + 10] as number) * 10 + (bytes[from + 11] as number) - 0x30 * 111;
  if (status < 100 || status > 599) return { bad: `The reply has status ${status}; 100 to 599 can be` };
  const notes = new FieldNotes();
  const end = fieldsEnd();
  const headers = readFields(from, notes);
  const announced = readReplyFraming(notes["content-length"], notes["transfer-encoding"], isHttp10);
  if (typeof announced === "object") return { bad: announced.detail };
  const framing = isBodyless(status) ? "none" : (announced ?? "until-close");
  const isClear = framing !== "until-close" && !announcesInVain(status, announced);
  return { status, headers, framing, isKept: isClear && isKept(notes.connection, isHttp10), end };
}

/**
 * A body that never follows: 204 may not announce one, 304 may, and says what GET would have (RFC 9110 §8.6, RFC 9112 §6.1). Where it
 * comes all the same, maybe late, it must not be taken for the next reply.
 */
function announcesInVain(status: number, announced: Framing | undefined): boolean {
  return isBodyless(status) && announced !== undefined && announced !== 0;
}

/** RFC 9112 §6.3: whatever its headers say. */
function isBodyless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

function isKept(connection: string | undefined, isHttp10: boolean): boolean {
  if (connection === undefined) return !isHttp10;
  if (connection === "keep-alive" || connection === "close") return connection === "keep-alive";
  return !isListed("close", connection) && (!isHttp10 || isListed("keep-alive", connection));
}
