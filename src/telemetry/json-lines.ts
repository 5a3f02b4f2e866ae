/**
 * One JSON object a line for each event; docs/logs.md describes the fields. An absent value is an absent field.
 *
 * An exchange's line is made for every request, so it is put together as text from few pieces, and what most lines of an
 * operation have in common is made once.
 */
import { jsonNumber, jsonText, toJsonLine } from "./escape.ts";
import type { ConnectionReceipt, HostEvent, OutputLine, ProgramReceipt, Receipt } from "./receipt.ts";

/** `time` is an ISO 8601 date in UTC. The line has no line end, here and below. */
export type ExchangeToJson = (receipt: Receipt, time: string) => string;

/** What the lines of one operation on one instance have in common. */
interface Common {
  readonly app: string | undefined;
  readonly operationId: string | undefined;
  readonly instance: string | undefined;
  readonly method: string;
  readonly text: string;
}

/** Operations whose common part is kept; those beyond are served all the same. */
const keptMax = 4096;

export function exchangesToJson(): ExchangeToJson {
  const kept = new Map<string, Common>();
  const common = (receipt: Receipt): string => {
    const { app, operation, operationId, instance, method } = receipt;
    if (operation === undefined) return commonText(receipt);
    const found = kept.get(operation);
    if (found !== undefined && isOf(found, receipt)) return found.text;
    const text = commonText(receipt);
    if (kept.size < keptMax || found !== undefined) kept.set(operation, { app, operationId, instance, method, text });
    return text;
  };
  return (receipt, time) => {
    const { requestId, exchangeId, path, client, status, bytesIn, bytesOut, totalMs } = receipt;
    const own = exchangeId === requestId ? "" : `,"exchangeId":${jsonText(exchangeId)}`;
    const from = client === undefined ? "" : `,"client":${jsonText(client)}`;
    return `{"time":"${time}","level":"${levelOf(status)}","type":"exchange","requestId":${jsonText(requestId)}${own}${common(receipt)}${jsonText(path)}${from},"status":${status}${why(receipt)},"bytesIn":${bytesIn},"bytesOut":${bytesOut},"totalMs":${jsonMs(totalMs)}${steps(receipt)}}`;
  };
}

function isOf(common: Common, { app, operationId, instance, method }: Receipt): boolean {
  return common.instance === instance && common.method === method && common.app === app && common.operationId === operationId;
}

/** `,"app":…,"operation":…,"operationId":…,"instance":…,"method":…,"path":` */
function commonText({ app, operation, operationId, instance, method }: Receipt): string {
  const fields = toJsonLine({ app, operation, operationId, instance, method });
  return `,${fields.slice(1, -1)},"path":`;
}

function why({ error, detail }: Receipt): string {
  if (error === undefined && detail === undefined) return "";
  return `${error === undefined ? "" : `,"error":${jsonText(error)}`}${detail === undefined ? "" : `,"detail":${jsonText(detail)}`}`;
}

function steps({ queueMs, functionMs, program, span }: Receipt): string {
  const queue = queueMs === undefined ? "" : `,"queueMs":${jsonMs(queueMs)}`;
  const called = functionMs === undefined ? "" : `,"functionMs":${jsonMs(functionMs)}`;
  if (program === undefined && span === undefined) return queue + called;
  return queue + called + (program === undefined ? "" : programFields(program)) + (span === undefined ? "" : `,"span":${toJsonLine(span)}`);
}

/** A program costs a thousand times what this does. */
function programFields(program: ProgramReceipt): string {
  const fields = toJsonLine({
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
  });
  return `,${fields.slice(1, -1)}`;
}

export function outputToJson(output: OutputLine, time: string): string {
  const { requestId, exchangeId, app, operation, instance, stream, level, fields, text, cut } = output;
  return toJsonLine({
    time,
    level: level ?? "info",
    type: "output",
    requestId,
    exchangeId: exchangeId === requestId ? undefined : exchangeId,
    app,
    operation,
    instance,
    stream,
    text,
    fields,
    cut: cut || undefined,
  });
}

export function connectionToJson(connection: ConnectionReceipt, time: string): string {
  const { connectionId, app, listener, instance, client, lines, bytesIn, bytesOut, totalMs, detail } = connection;
  return toJsonLine({
    time,
    level: connectionLevel(connection),
    type: "connection",
    connectionId,
    app,
    listener,
    instance,
    client,
    lines,
    bytesIn,
    bytesOut,
    totalMs: toMs(totalMs),
    detail,
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

/** A connection has a `detail` only where it was ended for a reason of ours. */
export function connectionLevel({ detail }: ConnectionReceipt): "info" | "warn" {
  return detail === undefined ? "info" : "warn";
}

/** Microseconds are the finest that is told. */
function toMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The same as text, rounded alike. */
function jsonMs(ms: number): string {
  return jsonNumber(Math.round(ms * 1000));
}
