/**
 * Who and what a request is for: its host, its path as the client sent it, its query. The one place that reads them, so
 * that routing and access decisions never see two different paths.
 */

export interface RequestTarget {
  /** Lower case, without a port; undefined: the request had no Host. */
  readonly host: string | undefined;
  /** Raw path, starts with "/". Dot segments are resolved already by the HTTP parser. */
  readonly path: string;
  /** Raw query without "?"; empty: none. */
  readonly query: string;
}

/** RFC 3986 §3.2.2 without percent-encoding and userinfo: what a client that means no harm sends. */
const saneHost = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

/** Reads the target; undefined: the Host header is not one that could be meant. */
export function readTarget(url: string, hostHeader: string | null): RequestTarget | undefined {
  if (hostHeader !== null && !saneHost.test(hostHeader)) return undefined;
  const from = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (from < 0) return { host: hostName(hostHeader), path: "/", query: "" };
  const mark = url.indexOf("?", from);
  const hash = url.indexOf("#", from);
  const end = hash < 0 ? url.length : hash;
  return mark < 0 || mark > end
    ? { host: hostName(hostHeader), path: url.slice(from, end), query: "" }
    : { host: hostName(hostHeader), path: url.slice(from, mark), query: url.slice(mark + 1, end) };
}

function hostName(header: string | null): string | undefined {
  if (header === null) return undefined;
  const colon = header.indexOf(":", header.lastIndexOf("]") + 1);
  return (colon < 0 ? header : header.slice(0, colon)).toLowerCase();
}
