/**
 * The head of a reply as JSON text. Replies of one kind differ in a number: what is before it is made once for each status
 * and list of headers, which the SDK shares between replies that have none of their author's own.
 */
import { headText } from "../link/frames.ts";
import type { ReplyHead } from "../link/messages.ts";

/** Lists that are one reply's own are not worth remembering: they come once. */
const sharedHeadersMax = 1;
const known = new WeakMap<ReplyHead["headers"], Map<number, string>>();

export function plainReplyHead(status: number, headers: ReplyHead["headers"], runMs: number): string {
  return `${beginning(status, headers)}${runMs}}`;
}

function beginning(status: number, headers: ReplyHead["headers"]): string {
  if (headers.length > sharedHeadersMax) return made(status, headers);
  const byStatus = known.get(headers) ?? new Map<number, string>();
  const text = byStatus.get(status);
  if (text !== undefined) return text;
  known.set(headers, byStatus);
  const fresh = made(status, headers);
  byStatus.set(status, fresh);
  return fresh;
}

function made(status: number, headers: ReplyHead["headers"]): string {
  // Ends with "runMs":0} and so before the number.
  return headText({ status, headers, waitMs: 0, spawnMs: 0, runMs: 0 } satisfies ReplyHead).slice(0, -2);
}

/** The head of a reply that is longer than its frame. */
export function withLength(head: string, bodyBytes: number): string {
  return `${head.slice(0, -1)},"bodyBytes":${bodyBytes}}`;
}
