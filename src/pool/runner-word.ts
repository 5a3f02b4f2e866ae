/** What a runner says, which is not trusted: read into values whose words are known and whose texts are bounded. */
import type { Frame } from "../link/frames.ts";
import type { LogHead, ResetHead } from "../link/messages.ts";
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
}

/** Why a runner ended work. */
export function faultOf(frame: Frame): RunnerFault {
  const { reason, detail, advice } = parseHead<Partial<ResetHead>>(frame);
  return {
    reason: reason !== undefined && runnerFailures.has(reason) ? (reason as WorkFailure) : "bad-reply",
    detail: String(detail ?? "The instance could not do its work").slice(0, detailCharactersMax),
    ...(advice === undefined ? {} : { advice: String(advice).slice(0, detailCharactersMax) }),
  };
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
