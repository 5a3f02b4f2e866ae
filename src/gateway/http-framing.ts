/**
 * Where a message's body ends (RFC 9112 §6.3). A message that two servers could cut at different places is refused, even
 * where the RFC lets one choose: that is what request smuggling lives on.
 */
import { badRequest, type Refusal } from "./http-refusal.ts";
import { trimBlanks } from "./http-syntax.ts";

/** The length in bytes; 0: there is no body. */
export type Framing = number | "chunked";

/**
 * @param contentLength the header's value; undefined: there is none. Values of several lines are joined by ",".
 * @param transferEncoding the same.
 */
export function readFraming(contentLength: string | undefined, transferEncoding: string | undefined, isHttp10: boolean): Framing | Refusal {
  if (contentLength === undefined && transferEncoding === undefined) return 0;
  return readAnnounced(contentLength, transferEncoding, isHttp10, "request");
}

/** As `readFraming`, for a reply that may have a body. Undefined: it ends with its connection. */
export function readReplyFraming(
  contentLength: string | undefined,
  transferEncoding: string | undefined,
  isHttp10: boolean,
): Framing | Refusal | undefined {
  if (contentLength === undefined && transferEncoding === undefined) return undefined;
  return readAnnounced(contentLength, transferEncoding, isHttp10, "reply");
}

type Message = "request" | "reply";

function readAnnounced(
  contentLength: string | undefined,
  transferEncoding: string | undefined,
  isHttp10: boolean,
  message: Message,
): Framing | Refusal {
  if (transferEncoding === undefined) return readLength(contentLength ?? "", message);
  if (contentLength !== undefined) return badRequest(`The ${message} has both Content-Length and Transfer-Encoding`);
  if (isHttp10) return badRequest(`The ${message} has a Transfer-Encoding, which HTTP/1.0 has not`);
  return readCodings(transferEncoding, message);
}

/** Sixteen digits may exceed 2^53 - 1, seventeen always do. */
const length = /^\d{1,16}$/;

function readLength(text: string, message: Message): number | Refusal {
  const value = length.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : badRequest(`The ${message}'s Content-Length is not one number of bytes`);
}

const coding = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function readCodings(text: string, message: Message): Framing | Refusal {
  const codings = text.split(",").map((one) => trimBlanks(one).toLowerCase());
  const last = codings.pop();
  if (last !== "chunked") return badRequest(`The ${message}'s Transfer-Encoding does not end in chunked`);
  if (codings.length === 0) return "chunked";
  if (codings.includes("chunked") || !codings.every((one) => coding.test(one)))
    return badRequest(`The ${message}'s Transfer-Encoding is malformed`);
  return { kind: "not-implemented", detail: `The transfer coding ${codings[0]} is not understood, only chunked is` };
}
