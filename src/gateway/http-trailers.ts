/** Trailers (RFC 9110 §6.5): headers that come behind a chunked body. Only those that cannot change what was made of the message before. */
import type { HeaderList } from "./front.ts";
import { isForwarding } from "./http-names.ts";
import { trimBlanks } from "./http-syntax.ts";

/** All trailer lines of a body. */
export const trailerBytesMax = 16 * 1024;
export const trailerLinesMax = 100;

/** RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, response control data, and how to understand the content. */
const forbidden: ReadonlySet<string> = new Set([
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "age",
  "authorization",
  "cache-control",
  "connection",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expect",
  "expires",
  "host",
  "keep-alive",
  "location",
  "max-forwards",
  "pragma",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "retry-after",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "vary",
  "via",
  "warning",
  "www-authenticate",
  "x-request-id",
]);

/** Whether a header may come as a trailer. @param name in lower case. */
export function isTrailer(name: string): boolean {
  return !forbidden.has(name) && !name.startsWith("if-") && !name.startsWith("x-urocket-") && !isForwarding(name);
}

/**
 * @param text well-formed lines, each with its CR LF.
 * @returns those that may go on; undefined: there are none.
 */
export function readTrailers(text: string): HeaderList | undefined {
  const trailers: string[] = [];
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (colon > 0 && isTrailer(name)) trailers.push(name, trimBlanks(line.slice(colon + 1)));
  }
  return trailers.length === 0 ? undefined : trailers;
}
