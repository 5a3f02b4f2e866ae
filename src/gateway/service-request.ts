/** The head of a request as a daemon gets it: as the client sent it, without what it said to us alone, with who it is. */
import type { FrontExchange, HeaderList } from "./front.ts";
import { acceptsTrailers, requestHops } from "./http-hops.ts";

/** The body's length in bytes; "chunked": nobody knows it; "none": there is no body. */
type RequestBody = number | "chunked" | "none";

export interface ServiceRequest {
  readonly front: FrontExchange;
  readonly requestId: string;
  /** As the client named it: what a trusted proxy says that it was is told by `front.forwarding`. */
  readonly host: string;
  readonly body: RequestBody;
  /** The daemon is asked whether it wants the body. */
  readonly expectsContinue: boolean;
  /** What is left out besides. */
  readonly omitted?: string | undefined;
}

/** Names that are written anew, or not at all. */
function isOurs(name: string): boolean {
  switch (name) {
    case "host":
    case "content-length":
    case "expect":
    case "x-request-id":
      return true;
    default:
      return false;
  }
}

/**
 * Writes it to the beginning of `target`, byte by byte: cheaper than making a text of its parts that is encoded once. The front has
 * seen to it that every part is what it may be (RFC 9112 §3, §5).
 * @returns its length.
 * @throws Error when `target` is too short, which no request that a front takes makes it.
 */
export function writeRequestHead(target: Uint8Array, request: ServiceRequest): number {
  const { front, requestId, host } = request;
  const { headers, upgrade } = front;
  let at = write(target, 0, front.method);
  at = write(target, write(target, at, " "), front.target);
  at = write(target, write(target, at, " HTTP/1.1\r\nhost: "), host);
  at = write(target, at, "\r\n");
  const hops = requestHops(headers);
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!hops.has(name) && !isOurs(name) && name !== request.omitted) at = writeHeader(target, at, name, headers[index + 1] as string);
  }
  at = writeHeader(target, at, "x-request-id", requestId);
  at = writeForwarding(target, at, front.forwarding);
  at = writeFraming(target, at, request);
  if (upgrade !== undefined) at = writeHeader(target, write(target, at, "connection: upgrade\r\n"), "upgrade", upgrade);
  else if (acceptsTrailers(headers)) at = write(target, at, "te: trailers\r\nconnection: te\r\n");
  at = write(target, at, "\r\n");
  if (at > target.length) throw new Error(`Cannot send a request's head of ${at} bytes to a daemon: there is room for ${target.length}`);
  return at;
}

function writeFraming(target: Uint8Array, at: number, { front: { method }, body, expectsContinue }: ServiceRequest): number {
  if (expectsContinue) at = write(target, at, "expect: 100-continue\r\n");
  if (body === "chunked") return write(target, at, "transfer-encoding: chunked\r\n");
  if (typeof body === "number") return writeHeader(target, at, "content-length", String(body));
  // RFC 9110 §8.6: where the method anticipates a body, its absence is told.
  return method === "POST" || method === "PUT" || method === "PATCH" ? write(target, at, "content-length: 0\r\n") : at;
}

/** What the requests of a client have in common, as bytes. */
const forwardings = new WeakMap<HeaderList, Uint8Array>();

function writeForwarding(target: Uint8Array, at: number, forwarding: HeaderList): number {
  let bytes = forwardings.get(forwarding);
  if (bytes === undefined) {
    let text = "";
    for (let index = 0; index < forwarding.length; index += 2) text += `${forwarding[index]}: ${forwarding[index + 1]}\r\n`;
    forwardings.set(forwarding, (bytes = Buffer.from(text, "latin1")));
  }
  if (at + bytes.length <= target.length) target.set(bytes, at);
  return at + bytes.length;
}

function writeHeader(target: Uint8Array, at: number, name: string, value: string): number {
  return write(target, write(target, write(target, write(target, at, name), ": "), value), "\r\n");
}

/** @param text Latin-1. Bytes beyond the end of `target` go nowhere, as typed arrays have it. */
function write(target: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) target[at + index] = text.charCodeAt(index);
  return at + text.length;
}
