/** From a daemon's reply to a response's headers: without what it says to its proxy alone, and what is urocket's to say. */
import type { HeaderList } from "./front.ts";
import { headerOf } from "./header-list.ts";
import { responseHops } from "./http-hops.ts";
import type { ReplyHead } from "./http-reply-head.ts";

/** A final answer's. Without the body's length, which whoever sends it counts, but where nothing is sent (RFC 9110 §8.6). */
export function replyHeaders({ headers, status }: ReplyHead): string[] {
  return endToEnd(headers, status === 304);
}

/** Those of an answer before the answer. */
export function interimHeaders(headers: HeaderList): string[] {
  return endToEnd(headers, false);
}

/** Those of 101, with what is switched to. */
export function switchHeaders(headers: HeaderList): string[] {
  const kept = endToEnd(headers, false);
  const upgrade = headerOf(headers, "upgrade");
  if (upgrade !== null) kept.push("upgrade", upgrade);
  return kept;
}

function endToEnd(headers: HeaderList, withLength: boolean): string[] {
  const hops = responseHops(headers);
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (hops.has(name) || isOurs(name) || (name === "content-length" && !withLength)) continue;
    kept.push(name, headers[at + 1] as string);
  }
  return kept;
}

function isOurs(name: string): boolean {
  return name === "x-request-id" || name.startsWith("x-urocket-");
}

/** So long before the daemon closes an idle connection nothing is sent on it any more, in ms. */
const marginMs = 2_000;

/** How long an idle connection may be used again, by what the daemon says of it: `Keep-Alive: timeout=5`. */
export function keptMs(headers: HeaderList): number {
  const said = headerOf(headers, "keep-alive");
  const seconds = said === null ? null : /(?:^|[,\s])timeout\s*=\s*"?(\d{1,9})/i.exec(said);
  return seconds === null ? Infinity : Math.max(0, Number(seconds[1]) * 1000 - marginMs);
}
