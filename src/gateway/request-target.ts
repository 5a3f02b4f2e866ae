/**
 * Who and what a request is for: its host, its path as the client sent it, its query. The one place that reads them, so
 * that routing and access decisions never see two different paths.
 */

export interface RequestTarget {
  /** Lower case, without a port; undefined: the request had no Host. */
  readonly host: string | undefined;
  /** Raw path, starts with "/"; "*" for OPTIONS *. Dot segments are resolved already by the front. */
  readonly path: string;
  /** Raw query without "?"; empty: none. */
  readonly query: string;
}

/**
 * @param target in origin-form, as the front has it.
 * @param host the Host header, well formed.
 */
export function readTarget(target: string, host: string | undefined): RequestTarget {
  const mark = target.indexOf("?");
  return mark < 0
    ? { host: hostName(host), path: target, query: "" }
    : { host: hostName(host), path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** The last Host header and its name: the clients of a host mostly send the same. */
let lastHeader = "";
let lastName = "";

function hostName(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (header !== lastHeader) {
    lastName = nameOf(header);
    lastHeader = header;
  }
  return lastName;
}

function nameOf(header: string): string {
  const colon = header.indexOf(":", header.lastIndexOf("]") + 1);
  return (colon < 0 ? header : header.slice(0, colon)).toLowerCase();
}
