/**
 * Heads of replies that are known already. The replies of a function differ in their time and little else, and its runner writes
 * that last: what stands before it is read once, and compared from then on.
 */
import type { ReplyHead } from "../link/messages.ts";

/** A reply's head up to its time, and what it says. */
interface KnownHead {
  readonly text: string;
  readonly reply: ReplyHead;
}

/** By status: the last one of each, three digits. */
const known: (KnownHead | undefined)[] = [];
const beforeStatus = '{"status":';
const beforeTime = '"runMs":';
/** Replies with more of them are likely to have values of their own. */
const headersMax = 1;
/** "123456.789}" */
const timeLengthMax = 11;

/** What a head says that is like one before it; undefined: it has to be read. Its list of headers is shared. */
export function knownReply(head: string): ReplyHead | undefined {
  const like = known[statusOf(head)];
  if (like === undefined || !head.startsWith(like.text)) return undefined;
  const runMs = timeAt(head, like.text.length);
  if (runMs < 0) return undefined;
  const { status, headers } = like.reply;
  return { status, headers, waitMs: 0, spawnMs: 0, runMs };
}

/** @param reply what the head says. */
export function rememberReply(head: string, reply: ReplyHead): void {
  const { status, headers, waitMs, spawnMs } = reply;
  if (headers.length > headersMax || waitMs !== 0 || spawnMs !== 0 || statusOf(head) !== status) return;
  const end = head.lastIndexOf(beforeTime) + beforeTime.length;
  // The time must be the head's own last field: nothing but a number and the end follows, and it is what was read.
  if (end < beforeTime.length || timeAt(head, end) !== reply.runMs || reply.span !== undefined) return;
  known[status] = { text: head.slice(0, end), reply };
}

/** 0: it does not begin as a runner's heads do. */
function statusOf(head: string): number {
  const at = beforeStatus.length;
  if (!head.startsWith(beforeStatus) || head.charCodeAt(at + 3) !== comma) return 0;
  const hundreds = head.charCodeAt(at) - zero;
  const tens = head.charCodeAt(at + 1) - zero;
  const ones = head.charCodeAt(at + 2) - zero;
  const isStatus = hundreds >= 2 && hundreds <= 5 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
  return isStatus ? hundreds * 100 + tens * 10 + ones : 0;
}

const comma = 0x2c;
const zero = 0x30;
const point = 0x2e;
const brace = 0x7d;

/** The number from `from` to the brace that ends the head, in thousandths; -1: there is none, or it is written otherwise. */
function timeAt(head: string, from: number): number {
  const end = head.length - 1;
  if (end <= from || head.length - from > timeLengthMax || head.charCodeAt(end) !== brace) return -1;
  let digits = 0;
  let decimals = -1;
  for (let at = from; at < end; at++) {
    const code = head.charCodeAt(at);
    if (code === point && decimals < 0 && at > from && at < end - 1) decimals = 0;
    else if (code < zero || code > zero + 9) return -1;
    else {
      digits = digits * 10 + (code - zero);
      if (decimals >= 0) decimals++;
    }
  }
  if (decimals > 3) return -1;
  return decimals <= 0 ? digits : digits / (decimals === 1 ? 10 : decimals === 2 ? 100 : 1000);
}
