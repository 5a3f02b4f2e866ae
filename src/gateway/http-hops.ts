/**
 * Headers that are said to one hop alone (RFC 9110 §7.6.1), so that a proxy does not pass them on: those that the RFCs name, and
 * those that `Connection` names, where it may.
 */
import type { HeaderList } from "./front.ts";
import { trimBlanks } from "./http-syntax.ts";

/**
 * Connection, and what is always of it, named or not. `Trailer` among them: which trailers come through is not its sender's to say.
 * `HTTP2-Settings` belongs to an upgrade that is not taken up (RFC 9113 §3.1).
 */
const hops = [
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
] as const;

/** Made anew for the next hop: `FrontExchange.forwarding`. */
const remade = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] as const;
/** No header of HTTP's, but HTTP_PROXY to whatever a daemon starts by CGI ("httpoxy"). */
const harmful = ["proxy"] as const;

const always = {
  request: new Set<string>([...hops, ...remade, ...harmful]) as ReadonlySet<string>,
  response: new Set<string>(hops) as ReadonlySet<string>,
};

/**
 * What `Connection` cannot take away: "a sender MUST NOT send a connection option corresponding to a field that is intended for all
 * recipients" (RFC 9110 §7.6.1). Otherwise a client could have us drop what a proxy in front has added, or what the framing needs.
 */
const endToEndNames: ReadonlySet<string> = new Set([
  "accept",
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expect",
  "host",
  "origin",
  "range",
  "set-cookie",
  "traceparent",
  "tracestate",
  "via",
  "x-real-ip",
  "x-request-id",
]);

function isEndToEnd(name: string): boolean {
  return endToEndNames.has(name) || name.startsWith("x-forwarded-");
}

/** Names, in lower case, of a request's headers that do not go on to its daemon. */
export function requestHops(headers: HeaderList): ReadonlySet<string> {
  return hopsOf(headers, always.request);
}

/** Names, in lower case, of a daemon's response's headers that do not go on to the client. */
export function responseHops(headers: HeaderList): ReadonlySet<string> {
  return hopsOf(headers, always.response);
}

/** Whether whoever sent them takes trailers (RFC 9110 §10.1.4). */
export function acceptsTrailers(headers: HeaderList): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] === "te" && isListed("trailers", headers[at + 1] ?? "")) return true;
  }
  return false;
}

/** Whether a comma-separated list holds a word, in whichever case and whatever parameters follow it. @param word in lower case. */
export function isListed(word: string, list: string): boolean {
  return namesIn(list).includes(word);
}

function hopsOf(headers: HeaderList, known: ReadonlySet<string>): ReadonlySet<string> {
  let all = known;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] === "connection") all = withNamed(headers[at + 1] ?? "", all, known);
  }
  return all;
}

/** What `Connection` nearly always says. */
const plainConnections: ReadonlySet<string> = new Set(["keep-alive", "close", "Keep-Alive", "Close", "upgrade", "Upgrade"]);

function withNamed(connection: string, all: ReadonlySet<string>, known: ReadonlySet<string>): ReadonlySet<string> {
  if (plainConnections.has(connection)) return all;
  const named = namesIn(connection).filter((name) => name !== "" && name !== "close" && !known.has(name) && !isEndToEnd(name));
  return named.length === 0 ? all : new Set([...all, ...named]);
}

function namesIn(list: string): string[] {
  return list.split(",").map((part) => trimBlanks(part.split(";", 1)[0] ?? "").toLowerCase());
}
