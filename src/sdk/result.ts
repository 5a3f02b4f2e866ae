/**
 * From what a handler returned to what is sent. It is on the path of every call, so the common results (a value, or
 * `{ status, body }` with a value) cost a look at their keys and `JSON.stringify`, nothing else.
 */
import { madeOf, takeBytes } from "./made-response.ts";
import { readHeaders, shown, type Reply, type ReplyHeaders } from "./reply.ts";

/** The media type that the contract declares for a status; undefined: none, or there is no contract. */
export type MediaTypeOf = (status: number) => string | undefined;

/** From declared media types by "200", "2XX" and "default" (OpenAPI 3.1 §4.8.16) to a look-up that remembers. */
export function mediaTypesByStatus(declared: Readonly<Record<string, string>> | undefined): MediaTypeOf {
  if (declared === undefined) return () => undefined;
  const known = new Map<number, string | undefined>();
  return (status) => {
    const mediaType = known.get(status);
    if (mediaType !== undefined || known.has(status)) return mediaType;
    const range = `${Math.floor(status / 100)}XX`;
    const found = [String(status), range, range.toLowerCase(), "default"].find((key) => Object.hasOwn(declared, key));
    // Statuses are at most the 400 that can be sent.
    if (known.size < 400) known.set(status, found === undefined ? undefined : declared[found]);
    return found === undefined ? undefined : declared[found];
  };
}

/**
 * What a handler's result is sent as: `{ status, headers?, body? }`, a web-standard Response, or a bare value, which is the
 * body of a 200 (undefined: of a 204).
 * @throws TypeError when it is nothing that can be sent; its message says what, and what to return in its place.
 */
export function toReply(result: unknown, mediaTypeOf: MediaTypeOf): Reply {
  if (result === undefined) return noContent;
  if (typeof result === "object" && result !== null) {
    if (result instanceof Response) return fromResponse(result, mediaTypeOf);
    if (isReplyShaped(result)) return fromShape(result, mediaTypeOf);
  }
  return fromBody(200, result, noHeaders, mediaTypeOf);
}

const noHeaders: ReplyHeaders = [];
const noContent: Reply = { status: 204, headers: noHeaders, body: undefined };

interface ReplyShaped {
  readonly status: number;
  readonly headers?: unknown;
  readonly body?: unknown;
}

/** An object with an integer `status` and no keys but those of a reply. */
function isReplyShaped(value: object): value is ReplyShaped {
  if (!("status" in value) || !Number.isInteger(value.status)) return false;
  for (const key in value) if (key !== "status" && key !== "body" && key !== "headers") return false;
  return true;
}

function fromShape({ status, headers, body }: ReplyShaped, mediaTypeOf: MediaTypeOf): Reply {
  if (status < 200 || status > 599)
    throw new TypeError(
      `status ${status} cannot be sent, 200 to 599 can; a body that has a "status" itself is returned as { status: 200, body: … }`,
    );
  const own = headers === undefined ? noHeaders : readHeaders(headers);
  if (body === undefined) return { status, headers: own, body: undefined };
  if (status === 204 || status === 205 || status === 304) return bodyless(status, own, body);
  return fromBody(status, body, own, mediaTypeOf);
}

/** RFC 9110 §15.3.5, §15.3.6, §15.4.5. */
function bodyless(status: number, headers: ReplyHeaders, body: unknown): Reply {
  if (body !== null) throw new TypeError(`A response with status ${status} has no body, and this one has ${shown(body)}`);
  return { status, headers, body: undefined };
}

function fromBody(status: number, body: unknown, own: ReplyHeaders, mediaTypeOf: MediaTypeOf): Reply {
  const typed = own.some(([name]) => name === "content-type");
  if (typeof body === "string") return fromText(status, body, own, typed, mediaTypeOf(status));
  if (typeof body === "object" && body !== null) {
    const bytes = bytesOf(body);
    if (bytes !== undefined) {
      const type = (body instanceof Blob && body.type) || concrete(mediaTypeOf(status)) || "application/octet-stream";
      return { status, headers: typed ? own : withType(own, type), body: bytes };
    }
  }
  return { status, headers: typed ? own : withType(own, jsonType(mediaTypeOf(status))), body: jsonText(body) };
}

/** Who names the media type has written the text for it; else it is written as the contract's. */
function fromText(status: number, text: string, own: ReplyHeaders, typed: boolean, declared: string | undefined): Reply {
  if (typed) return { status, headers: own, body: text };
  const type = concrete(declared) ?? "text/plain";
  return { status, headers: withType(own, withCharset(type)), body: isJson(type) ? JSON.stringify(text) : text };
}

/** Bodies that go out as they are. */
function bytesOf(body: object): Uint8Array | ReadableStream<Uint8Array> | undefined {
  if (body instanceof Uint8Array) return body;
  if (Array.isArray(body)) return undefined;
  if (body instanceof ReadableStream) {
    if (body.locked) throw new TypeError("The body is a stream that somebody reads already; return one that is not locked");
    return body;
  }
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  return body instanceof Blob ? body.stream() : undefined;
}

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`The result cannot be written as JSON: ${error instanceof Error ? error.message : shown(error)}`, { cause: error });
  }
  if (text === undefined) throw new TypeError(`The result cannot be written as JSON: it is ${shown(value)}`);
  if (text === "{}") refuseEmptied(value);
  return text;
}

/** What JSON writes as "{}" although it holds something: surely not what its author meant. */
function refuseEmptied(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if ("then" in value) throw new TypeError("The body is a promise; await it");
  if (Symbol.asyncIterator in value)
    throw new TypeError("The body is an async iterable; return a ReadableStream of bytes, by ReadableStream.from for instance");
  if (Symbol.iterator in value)
    throw new TypeError("The body is a Map, a Set or another iterable; return a list or a plain object made of it");
  if (value instanceof Error) throw new TypeError("The result is an Error; throw it", { cause: value });
}

function fromResponse(response: Response, mediaTypeOf: MediaTypeOf): Reply {
  const { status } = response;
  if (status < 200 || status > 599) throw new TypeError(`A Response with status ${status} cannot be sent, 200 to 599 can`);
  const made = madeOf(response);
  if (response.bodyUsed || (made?.whole !== true && response.body?.locked === true))
    throw new TypeError("The Response's body was read already; return a new one, or its clone()");
  const headers = headersOf(response);
  if (made?.whole === true && (status === 204 || status === 205 || status === 304)) return { status, headers, body: undefined };
  const body = made?.whole === true ? takeBytes(response) : (response.body ?? undefined);
  if (body === undefined || headers.some(([name]) => name === "content-type")) return { status, headers, body };
  const type = made?.mediaType ?? withCharset(concrete(mediaTypeOf(status)) ?? made?.otherwise ?? "text/plain");
  return { status, headers: withType(headers, type), body };
}

/** One of a kind that many have is shared by them. */
function headersOf({ headers }: Response): ReplyHeaders {
  const list = [...headers];
  const [only] = list;
  return list.length === 1 && only !== undefined && only[0] === "content-type" ? withType(noHeaders, only[1]) : list;
}

/** A declared media type that is one; ranges ("image/*") leave the choice to whoever answers. */
function concrete(declared: string | undefined): string | undefined {
  return declared === undefined || declared.includes("*") ? undefined : declared;
}

function jsonType(declared: string | undefined): string {
  return declared !== undefined && isJson(declared) && !declared.includes("*") ? declared : "application/json";
}

/** RFC 8259 and RFC 6839 §3.1. */
function isJson(mediaType: string): boolean {
  return mediaType === "application/json" || /^(?:application\/json|text\/json|[^;]*\+json)\s*(?:;|$)/i.test(mediaType);
}

/** Text that goes out is UTF-8, which text/* is not by itself for every client (RFC 6657). */
function withCharset(mediaType: string): string {
  return /^text\//i.test(mediaType) && !/;\s*charset=/i.test(mediaType) ? `${mediaType}; charset=utf-8` : mediaType;
}

/** One list for each media type, so that a reply without headers of its own makes none. */
const typeOnly = new Map<string, ReplyHeaders>();
/** Types come of contracts and of Blobs; the latter may be many. */
const typesMax = 256;

function withType(own: ReplyHeaders, type: string): ReplyHeaders {
  if (own.length > 0) return [["content-type", type], ...own];
  const known = typeOnly.get(type);
  if (known !== undefined) return known;
  const headers: ReplyHeaders = [["content-type", type]];
  if (typeOnly.size < typesMax) typeOnly.set(type, headers);
  return headers;
}
