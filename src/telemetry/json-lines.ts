/**
 * One JSON object a line for each event; docs/logs.md describes the fields. An absent value is an absent field.
 *
 * An exchange's line is made for every request, so it is put together as bytes, and what most lines of an operation have in
 * common is made once.
 */
import { toJsonLine } from "./escape.ts";
import { JsonLine, type LineBytes } from "./json-line.ts";
import type { ConnectionReceipt, HostEvent, OutputLine, ProgramReceipt, Receipt } from "./receipt.ts";

/** `time` is an ISO 8601 date in UTC. The line has no line end, here and below, and holds until the next is made. */
export type ExchangeToJson = (receipt: Receipt, time: string) => LineBytes;

/** What the lines of one operation on one instance have in common. */
interface Common {
  readonly app: string | undefined;
  readonly operationId: string | undefined;
  readonly instance: string | undefined;
  readonly method: string;
  readonly json: Uint8Array;
}

/** Operations whose common part is kept; those beyond are served all the same. */
const keptMax = 4096;

export function exchangesToJson(): ExchangeToJson {
  const kept = new Map<string, Common>();
  const line = new JsonLine();
  const common = (receipt: Receipt): Uint8Array => {
    const { app, operation, operationId, instance, method } = receipt;
    if (operation === undefined) return commonJson(receipt);
    const found = kept.get(operation);
    if (found !== undefined && isOf(found, receipt)) return found.json;
    const json = commonJson(receipt);
    if (kept.size < keptMax || found !== undefined) kept.set(operation, { app, operationId, instance, method, json });
    return json;
  };
  return (receipt, time) => {
    const { requestId, exchangeId, path, client, status, bytesIn, bytesOut, totalMs } = receipt;
    line.clear();
    line.raw('{"time":"');
    line.raw(time);
    line.raw('","level":"');
    line.raw(levelOf(status));
    line.raw('","type":"exchange"');
    writeString(line, ',"requestId":', requestId);
    if (exchangeId !== requestId) writeString(line, ',"exchangeId":', exchangeId);
    line.rawBytes(common(receipt));
    line.string(path);
    writeString(line, ',"client":', client);
    line.raw(',"status":');
    line.number(status);
    writeString(line, ',"error":', receipt.error);
    writeString(line, ',"detail":', receipt.detail);
    line.raw(',"bytesIn":');
    line.number(bytesIn);
    line.raw(',"bytesOut":');
    line.number(bytesOut);
    writeMs(line, ',"totalMs":', totalMs);
    writeSteps(line, receipt);
    line.raw("}");
    return line;
  };
}

function isOf(common: Common, { app, operationId, instance, method }: Receipt): boolean {
  return common.instance === instance && common.method === method && common.app === app && common.operationId === operationId;
}

/** `,"app":…,"operation":…,"operationId":…,"instance":…,"method":…,"path":` */
function commonJson({ app, operation, operationId, instance, method }: Receipt): Uint8Array {
  const fields = toJsonLine({ app, operation, operationId, instance, method });
  return Buffer.from(`,${fields.slice(1, -1)},"path":`);
}

function writeString(line: JsonLine, key: string, text: string | undefined): void {
  if (text === undefined) return;
  line.raw(key);
  line.string(text);
}

/** Microseconds are the finest that is told. */
function writeMs(line: JsonLine, key: string, ms: number | undefined): void {
  if (ms === undefined) return;
  line.raw(key);
  line.thousandths(Math.round(ms * 1000));
}

function writeSteps(line: JsonLine, { queueMs, functionMs, serviceMs, attempts, limit, program, span }: Receipt): void {
  writeMs(line, ',"queueMs":', queueMs);
  writeMs(line, ',"functionMs":', functionMs);
  writeMs(line, ',"serviceMs":', serviceMs);
  if (attempts !== undefined) {
    line.raw(',"attempts":');
    line.number(attempts);
  }
  writeString(line, ',"limit":', limit);
  if (program !== undefined) line.rawBytes(Buffer.from(programFields(program)));
  if (span !== undefined) line.rawBytes(Buffer.from(`,"span":${toJsonLine(span)}`));
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
