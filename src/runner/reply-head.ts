/**
 * What a program's POST to the reply socket means as a response: its status, and which of its headers are the
 * response's. HTTP clients add headers of their own to every request; those would say something else in a response.
 */
import type { ReplyHead } from "../link/messages.ts";
import type { RequestHead } from "./http-request.ts";

/** Final statuses of HTTP (RFC 9110 §15). */
const statusMin = 200;
const statusMax = 599;

/** Hop-by-hop fields (RFC 9110 §7.6.1), what belongs to the POST itself, and what HTTP clients send by themselves. */
const ownHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "content-length",
  "user-agent",
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "sec-fetch-user",
  "expect",
  "status",
]);
/** curl's own default for `-d`: nobody means it. */
const unmeantType = "application/x-www-form-urlencoded";
const ownPrefix = "x-urocket-";

/** Of a reply's head what the program says; the times are the exchange's. */
export type ProgramReply = Pick<ReplyHead, "status" | "headers">;
export type ReadReply = { readonly ok: true; readonly head: ProgramReply } | { readonly ok: false; readonly reason: string };

/** The reply that a POST carries, or why it cannot be one. The query's status wins over the header's. */
export function readReply(head: RequestHead): ReadReply {
  const question = head.target.indexOf("?");
  let status = question < 0 ? undefined : statusInQuery(head.target.slice(question + 1));
  let named: ReadonlySet<string> | undefined;
  const headers: (readonly [string, string])[] = [];
  for (const header of head.headers) {
    const name = header[0];
    if (name === "status") status ??= header[1];
    else if (name === "connection") named = connectionOptions(header[1]);
    if (ownHeaders.has(name) || name.startsWith(ownPrefix)) continue;
    if (name === "content-type" && mediaType(header[1]) === unmeantType) continue;
    headers.push(header);
  }
  const number = status === undefined ? 200 : toStatus(status);
  if (number === undefined)
    return { ok: false, reason: `status ${JSON.stringify(status)} is not a number from ${statusMin} to ${statusMax}` };
  const kept = named === undefined ? headers : headers.filter(([name]) => !named.has(name));
  return { ok: true, head: { status: number, headers: kept } };
}

function statusInQuery(query: string): string | undefined {
  for (const pair of query.split("&")) {
    if (pair.startsWith("status=")) return pair.slice("status=".length);
  }
  return undefined;
}

/** "201", or as CGI programs write it, "201 Created". */
function toStatus(text: string): number | undefined {
  const digits = /^(\d{3})(?: .*)?$/.exec(text)?.[1];
  const status = Number(digits ?? 0);
  return status >= statusMin && status <= statusMax ? status : undefined;
}

function connectionOptions(value: string): ReadonlySet<string> | undefined {
  const options = value.split(",").map((option) => option.trim().toLowerCase());
  return options.length === 1 && (options[0] === "close" || options[0] === "keep-alive") ? undefined : new Set(options);
}

function mediaType(value: string): string {
  const end = value.indexOf(";");
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}
