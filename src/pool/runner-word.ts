/** What a runner says, which is not trusted: read into values whose words are known and whose texts are bounded. */
import { type LimitName, limitNameOf } from "../core/limit-name.ts";
import type { Frame } from "../link/frames.ts";
import type { LogHead, ProgramSample, ReceiptHead, ReplyHead, ResetHead, SampleHead, SpanNotes, WindowHead } from "../link/messages.ts";
import { knownReply, rememberReply } from "./reply-words.ts";
import type { WorkFailure, WorkOutput } from "./work.ts";

const detailCharactersMax = 2000;
const runnerFailures: ReadonlySet<string> = new Set<WorkFailure>([
  "no-reply",
  "spawn-failed",
  "argument-too-large",
  "bad-reply",
  "bad-request",
  "reply-aborted",
  "overloaded",
  "function-failed",
]);
const levels: ReadonlySet<string> = new Set(["debug", "info", "warn", "error"]);

/** A frame's head. What its fields are is checked where they are used. */
export function parseHead<Head>(frame: Frame): Head {
  const head: unknown = JSON.parse(frame.head);
  if (typeof head !== "object" || head === null) throw new Error(`a ${frame.type} frame without a head came`);
  return head as Head;
}

export interface RunnerFault {
  readonly reason: WorkFailure;
  readonly detail: string;
  readonly advice?: string;
  readonly badExit?: true;
  readonly limit?: LimitName;
}

/** Why a runner ended work. */
export function faultOf(frame: Frame): RunnerFault {
  const { reason, detail, advice, badExit, limit } = parseHead<Partial<ResetHead>>(frame);
  const named = limitNameOf(limit);
  return {
    reason: reason !== undefined && runnerFailures.has(reason) ? (reason as WorkFailure) : "bad-reply",
    detail: typeof detail === "string" ? detail.slice(0, detailCharactersMax) : "The instance could not do its work",
    ...(typeof advice === "string" ? { advice: advice.slice(0, detailCharactersMax) } : {}),
    ...(badExit === true ? { badExit } : {}),
    ...(named === undefined ? {} : { limit: named }),
  };
}

/**
 * A reply's head. Its status and headers are only what their types say: whether they can be sent is for whoever sends them.
 * @throws Error when they are not.
 */
export function replyOf(frame: Frame): ReplyHead {
  const known = knownReply(frame.head);
  if (known !== undefined) return known;
  const { status, headers, waitMs, spawnMs, runMs, bodyBytes, span } = parseHead<Partial<ReplyHead>>(frame);
  if (typeof status !== "number" || !isHeaders(headers)) throw new Error("a reply without a status and headers came");
  const reply = { status, headers, waitMs: numberOf(waitMs), spawnMs: numberOf(spawnMs), runMs: numberOf(runMs) };
  if (bodyBytes !== undefined || span !== undefined)
    return { ...reply, ...(isLength(bodyBytes) ? { bodyBytes } : {}), ...(isObject(span) ? { span: spanOf(span) } : {}) };
  rememberReply(frame.head, reply);
  return reply;
}

function isHeaders(headers: unknown): headers is ReplyHead["headers"] {
  if (!Array.isArray(headers)) return false;
  for (const header of headers as readonly unknown[]) {
    if (!Array.isArray(header) || typeof header[0] !== "string" || typeof header[1] !== "string") return false;
  }
  return true;
}

function spanOf({ attributes, events }: Partial<SpanNotes>): SpanNotes {
  return { ...(isObject(attributes) ? { attributes } : {}), ...(Array.isArray(events) ? { events } : {}) };
}

/** A receipt. What is no number counts as 0. */
export function receiptOf(frame: Frame): ReceiptHead {
  const head = parseHead<Partial<ReceiptHead>>(frame);
  const { memoryPeakBytes, memorySource, exitCode, signal, endedBy } = head;
  const limit = limitNameOf(head.limit);
  return {
    waitMs: numberOf(head.waitMs),
    spawnMs: numberOf(head.spawnMs),
    runMs: numberOf(head.runMs),
    replyMs: numberOf(head.replyMs),
    totalMs: numberOf(head.totalMs),
    cpuUserMs: numberOf(head.cpuUserMs),
    cpuSystemMs: numberOf(head.cpuSystemMs),
    ...(typeof memoryPeakBytes === "number" ? { memoryPeakBytes } : {}),
    ...(typeof memorySource === "string" ? { memorySource } : {}),
    ...(typeof exitCode === "number" ? { exitCode } : {}),
    ...(typeof signal === "string" ? { signal } : {}),
    endedBy: typeof endedBy === "string" ? endedBy : "itself",
    ...(limit === undefined ? {} : { limit }),
    outputBytesDropped: numberOf(head.outputBytesDropped),
  };
}

/**
 * How many bytes more of a body it takes.
 * @throws Error when that is no number of bytes: nobody knows any more what may be sent.
 */
export function windowOf(frame: Frame): number {
  const { bytes } = parseHead<Partial<WindowHead>>(frame);
  if (!isLength(bytes)) throw new Error("a window frame without a number of bytes came");
  return bytes;
}

/** What programs use. */
export function sampleOf(frame: Frame): SampleHead {
  const { programs } = parseHead<Partial<SampleHead>>(frame);
  return { programs: Array.isArray(programs) ? programs.filter((one): one is ProgramSample => isProgramSample(one)) : [] };
}

function isProgramSample(one: unknown): one is ProgramSample {
  if (!isObject(one)) return false;
  const { id, operation, pid, ageMs, residentBytes, cpuMs, cpuNow, processes } = one as Partial<ProgramSample>;
  const numbers = [pid, ageMs, residentBytes, cpuMs, cpuNow, processes];
  return typeof id === "string" && typeof operation === "string" && numbers.every((number) => typeof number === "number");
}

function isLength(bytes: number | undefined): bytes is number {
  return bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= 0;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** A `log` frame's line. */
export function outputOf(frame: Frame, { stream, level, fields, cut }: Partial<LogHead>): WorkOutput {
  return {
    stream: stream === "stdout" || stream === "log" ? stream : "stderr",
    ...(level !== undefined && levels.has(level) ? { level } : {}),
    text: Buffer.from(frame.body.buffer, frame.body.byteOffset, frame.body.byteLength).toString(),
    ...(typeof fields === "object" && fields !== null ? { fields } : {}),
    cut: cut === true,
  };
}
