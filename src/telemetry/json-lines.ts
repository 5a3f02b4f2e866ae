/** One JSON object a line for each event; docs/logs.md describes the fields. An absent value is an absent field. */
import { toJsonLine } from "./escape.ts";
import type { HostEvent, OutputLine, ProgramReceipt, Receipt } from "./receipt.ts";

/** `time` is an ISO 8601 date in UTC. The line has no line end, here and below. */
export function exchangeToJson(receipt: Receipt, time: string): string {
  const { requestId, exchangeId, status, program } = receipt;
  const fields = {
    time,
    level: levelOf(status),
    type: "exchange",
    requestId,
    exchangeId: exchangeId === requestId ? undefined : exchangeId,
    app: receipt.app,
    operation: receipt.operation,
    operationId: receipt.operationId,
    instance: receipt.instance,
    method: receipt.method,
    path: receipt.path,
    client: receipt.client,
    status,
    error: receipt.error,
    detail: receipt.detail,
    bytesIn: receipt.bytesIn,
    bytesOut: receipt.bytesOut,
    totalMs: toMs(receipt.totalMs),
    queueMs: toMs(receipt.queueMs),
  };
  return toJsonLine(program === undefined ? fields : { ...fields, ...programFields(program) });
}

function programFields(program: ProgramReceipt): object {
  return {
    waitMs: toMs(program.waitMs),
    spawnMs: toMs(program.spawnMs),
    runMs: toMs(program.runMs),
    replyMs: toMs(program.replyMs),
    programMs: toMs(program.totalMs),
    cpuUserMs: toMs(program.cpuUserMs),
    cpuSystemMs: toMs(program.cpuSystemMs),
    memoryPeakBytes: program.memoryPeakBytes,
    memorySource: program.memorySource,
    exitCode: program.exitCode,
    signal: program.signal,
    endedBy: program.endedBy,
    outputBytesDropped: program.outputBytesDropped || undefined,
  };
}

export function outputToJson(output: OutputLine, time: string): string {
  const { requestId, exchangeId, app, operation, stream, text, cut } = output;
  return toJsonLine({
    time,
    level: "info",
    type: "output",
    requestId,
    exchangeId: exchangeId === requestId ? undefined : exchangeId,
    app,
    operation,
    stream,
    text,
    cut: cut || undefined,
  });
}

/** The event's own fields come after the common ones and cannot take their place. */
export function hostEventToJson({ level, event, message, fields }: HostEvent, time: string): string {
  const common = { time, level, type: "host", event, message };
  return toJsonLine(fields === undefined ? common : { ...common, ...fields, ...common });
}

/** What urocket or a program did wrong is an error; a refusal for want of room a warning; what clients do is information. */
export function levelOf(status: number): "info" | "warn" | "error" {
  if (status === 503) return "warn";
  return status >= 500 ? "error" : "info";
}

/** Microseconds are the finest that is told. */
function toMs(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1000) / 1000;
}
