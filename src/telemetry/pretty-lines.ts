/** The same events for people at a terminal: a line each, aligned, with colours where wanted. */
import { styleText } from "node:util";
import { escapeForTerminal } from "./escape.ts";
import { levelOf } from "./json-lines.ts";
import type { HostEvent, OutputLine, ProgramReceipt, Receipt } from "./receipt.ts";

/** Columns for "GET /pets/{petId}": longer ones push the rest of their line to the right. */
const operationWidth = 24;
/** Characters of a request id: enough to find the lines that belong together. */
const shownIdLength = 8;

type Style = "red" | "green" | "yellow" | "cyan" | "gray";
type Paint = (style: Style, text: string) => string;

const paintWith = (colours: boolean): Paint =>
  colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;

/** `12:03:04.123 GET    /pets  200   12.3 ms (spawn 1.1, run 9.8) cpu 4 ms mem 3.1 MiB 0190f0c8`; no line end, here and below. */
export function formatPrettyExchange(receipt: Receipt, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const { status, totalMs, program, error, detail } = receipt;
  const target = `${escapeForTerminal(receipt.method).padEnd(6)} ${escapeForTerminal(receipt.path)}`.padEnd(operationWidth);
  const parts = [paint("gray", time), target, paint(statusStyle(status), String(status)), `${toMs(totalMs)} ms`.padStart(10)];
  const steps = formatSteps(receipt);
  if (steps !== "") parts.push(paint("gray", `(${steps})`));
  if (program !== undefined) parts.push(formatUse(program));
  parts.push(paint("gray", shownId(receipt.requestId)));
  const why = [error, detail].filter((text) => text !== undefined).join(": ");
  if (why !== "") parts.push(paint(statusStyle(status), escapeForTerminal(why)));
  return parts.join(" ");
}

/** `12:03:04.123 0190f0c8 GET /pets stderr | the line` */
export function formatPrettyOutput({ requestId, operation, stream, text, cut }: OutputLine, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const origin = `${shownId(requestId)} ${escapeForTerminal(operation)} ${stream} |`;
  return `${paint("gray", `${time} ${origin}`)} ${escapeForTerminal(text)}${cut ? paint("gray", " … (cut)") : ""}`;
}

/** `12:03:04.123 warn   the message (name: value)` */
export function formatPrettyHostEvent({ level, message, fields }: HostEvent, time: string, colours: boolean): string {
  const paint = paintWith(colours);
  const label = paint(level === "error" ? "red" : level === "warn" ? "yellow" : "cyan", level.padEnd(6));
  const details = Object.entries(fields ?? {}).map(([name, value]) => `${name}: ${value}`);
  const tail = details.length > 0 ? ` ${paint("gray", escapeForTerminal(`(${details.join(", ")})`))}` : "";
  return `${paint("gray", time)} ${label} ${escapeForTerminal(message)}${tail}`;
}

function formatSteps({ queueMs, program }: Receipt): string {
  const steps = [
    // Waiting is worth a word only where there was some.
    ["queue", queueMs === undefined || queueMs < 1 ? undefined : queueMs],
    ["wait", program === undefined || program.waitMs < 1 ? undefined : program.waitMs],
    ["spawn", program?.spawnMs],
    ["run", program?.runMs],
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
