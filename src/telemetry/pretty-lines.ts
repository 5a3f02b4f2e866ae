/** The same events for people at a terminal: a line each, aligned, with colours where wanted. */
import { styleText } from "node:util";
import { escapeForTerminal } from "./escape.ts";
import { connectionLevel, levelOf } from "./json-lines.ts";
import type { ConnectionReceipt, HostEvent, OutputLine, ProgramReceipt, Receipt } from "./receipt.ts";

/** Columns for "GET /pets/{petId}": longer ones push the rest of their line to the right. */
const operationWidth = 24;
/** Characters of a request id: enough to find the lines that belong together. */
const shownIdLength = 8;

type Style = "red" | "green" | "yellow" | "cyan" | "gray";
type Paint = (style: Style, text: string) => string;

const paintWith = (colours: boolean): Paint =>
  colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;

/** `12:03:04.123 GET    /pets  200   12.3 ms listPets (spawn 1.1, run 9.8) cpu 4 ms mem 3.1 MiB 0190f0c8`; no line end, here and below. */
export function formatPrettyExchange(receipt: Receipt, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const { status, totalMs, program, error, detail } = receipt;
  const target = `${escapeForTerminal(receipt.method).padEnd(6)} ${escapeForTerminal(receipt.path)}`.padEnd(operationWidth);
  const parts = [paint("gray", time), target, paint(statusStyle(status), String(status)), `${toMs(totalMs)} ms`.padStart(10)];
  if (receipt.operationId !== undefined) parts.push(paint("cyan", escapeForTerminal(receipt.operationId)));
  const steps = formatSteps(receipt);
  if (steps !== "") parts.push(paint("gray", `(${steps})`));
  if (program !== undefined) parts.push(formatUse(program));
  if (receipt.attempts !== undefined) parts.push(`${receipt.attempts} attempts`);
  if (receipt.limit !== undefined) parts.push(paint("yellow", `limits.${receipt.limit}`));
  parts.push(paint("gray", shownId(receipt.requestId)));
  const why = [error, detail].filter((text) => text !== undefined).join(": ");
  if (why !== "") parts.push(paint(statusStyle(status), escapeForTerminal(why)));
  return parts.join(" ");
}

/** `12:03:04.123 0190f0c8 GET /pets stderr | the line`; a text of several lines (a stack) is as many. */
export function formatPrettyOutput(line: OutputLine, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const { requestId, app, operation } = line;
  const whose = [requestId === undefined ? app : shownId(requestId), operation].filter((text) => text !== undefined);
  const label = paint(labelStyle(line), labelOf(line));
  const origin = `${paint("gray", `${time} ${escapeForTerminal(whose.join(" "))}`)} ${label} ${paint("gray", "|")} `;
  return shownLines(line, paint)
    .map((text) => origin + text)
    .join("\n");
}

/** The same below the line of its request, which says whose it is. */
export function formatPrettyOutputBelow(line: OutputLine, colours: boolean): string {
  const paint = paintWith(colours);
  const [first = "", ...others] = shownLines(line, paint);
  const label = paint(labelStyle(line), labelOf(line).padEnd(labelWidth));
  return [`${belowIndent}${label} ${first}`, ...others.map((text) => `${belowIndent}${" ".repeat(labelWidth)} ${text}`)].join("\n");
}

/** `12:03:04.123 tcp:1234          12 lines  1200.0 ms 34 bytes in, 56 out 0190f0c8 why it ended` */
export function formatPrettyConnection(connection: ConnectionReceipt, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const { listener, lines, totalMs, bytesIn, bytesOut, connectionId, detail } = connection;
  const parts = [
    paint("gray", time),
    escapeForTerminal(listener).padEnd(operationWidth),
    `${lines} line${lines === 1 ? "" : "s"}`,
    `${toMs(totalMs)} ms`.padStart(10),
    paint("gray", `${bytesIn} bytes in, ${bytesOut} out ${shownId(connectionId)}`),
  ];
  if (detail !== undefined) parts.push(paint(connectionLevel(connection) === "warn" ? "yellow" : "gray", escapeForTerminal(detail)));
  return parts.join(" ");
}

/** Below the time and in from the request. */
const belowIndent = " ".repeat(15);
const labelWidth = "stderr".length;

/** What wrote it, or how bad it is. */
const labelOf = ({ stream, level }: OutputLine): string => (stream === "log" ? (level ?? "info") : stream);

function labelStyle({ level }: OutputLine): Style {
  if (level === "error") return "red";
  if (level === "warn") return "yellow";
  return level === "info" ? "cyan" : "gray";
}

function shownLines({ text, fields, cut }: OutputLine, paint: Paint): string[] {
  const lines = text.split("\n").map(escapeForTerminal);
  const tail = `${formatFields(fields, paint)}${cut ? paint("gray", " … (cut)") : ""}`;
  // Fields belong to the message; what follows it is a stack.
  return lines.map((line, position) => (position === 0 ? line + tail : /^\s+at /.test(line) ? paint("gray", line) : line));
}

/** ` (name: Rex, tags: ["a"])` */
function formatFields(fields: Readonly<Record<string, unknown>> | undefined, paint: Paint): string {
  const details = Object.entries(fields ?? {}).map(
    ([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return details.length > 0 ? ` ${paint("gray", escapeForTerminal(`(${details.join(", ")})`))}` : "";
}

/** `12:03:04.123 warn   the message (name: value)` */
export function formatPrettyHostEvent({ level, message, fields }: HostEvent, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const label = paint(level === "error" ? "red" : level === "warn" ? "yellow" : "cyan", level.padEnd(6));
  return `${paint("gray", time)} ${label} ${escapeForTerminal(message)}${formatFields(fields, paint)}`;
}

function formatSteps({ queueMs, program, functionMs, serviceMs }: Receipt): string {
  const steps = [
    // Waiting is worth a word only where there was some.
    ["queue", queueMs === undefined || queueMs < 1 ? undefined : queueMs],
    ["wait", program === undefined || program.waitMs < 1 ? undefined : program.waitMs],
    ["spawn", program?.spawnMs],
    ["run", program?.runMs],
    ["function", functionMs],
    ["service", serviceMs],
  ] as const;
  return steps.flatMap(([name, ms]) => (ms === undefined ? [] : [`${name} ${toMs(ms)}`])).join(", ");
}

function formatUse({ cpuUserMs, cpuSystemMs, memoryPeakBytes, memorySource, exitCode, signal }: ProgramReceipt): string {
  const parts = [`cpu ${Math.round(cpuUserMs + cpuSystemMs)} ms`];
  if (memoryPeakBytes !== undefined) parts.push(`mem ${memorySource === "at-most" ? "≤ " : ""}${toMebibytes(memoryPeakBytes)} MiB`);
  if (signal !== undefined) parts.push(escapeForTerminal(signal));
  if (exitCode !== undefined && exitCode !== 0) parts.push(`exit ${exitCode}`);
  return parts.join(" ");
}

function statusStyle(status: number): Style {
  if (levelOf(status) === "error") return "red";
  return status >= 400 ? "yellow" : "green";
}

const shownId = (requestId: string): string => escapeForTerminal(requestId.slice(0, shownIdLength));
const toMs = (ms: number): string => ms.toFixed(1);
const toMebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
