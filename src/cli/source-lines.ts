/**
 * What a function's author wants to see of a failure: below the stack's first place in a file of theirs, the line of source
 * that it names. Only `dev` does this: it reads files while it logs.
 */
import { readFileSync, statSync } from "node:fs";
import type { OutputLine } from "../telemetry/receipt.ts";

/** Files whose lines are kept, and bytes of one that is read. */
const filesMax = 16;
const fileBytesMax = 2 ** 20;
/** Characters of a source line that are shown. */
const shownMax = 160;

/** `    at addPet (/srv/pets/src/pets.ts:12:9)`, or without a name and parentheses. */
const frame = /^\s+at .*?\(?(?:file:\/\/)?(\/[^()\s:]+\.[cm]?[jt]sx?):(\d+):(\d+)\)?$/;

interface Lines {
  readonly changedMs: number;
  readonly lines: readonly string[];
}

/** Makes the stacks among lines of a log their author's. Anything else stays as it is. */
export function withSourceLines(): (line: OutputLine) => OutputLine {
  const files = new Map<string, Lines>();
  const linesOf = (file: string): readonly string[] => {
    const { mtimeMs, size } = statSync(file);
    const known = files.get(file);
    if (known?.changedMs === mtimeMs) return known.lines;
    if (size > fileBytesMax) return [];
    const lines = readFileSync(file, "utf8").split("\n");
    if (files.size >= filesMax) files.clear();
    files.set(file, { changedMs: mtimeMs, lines });
    return lines;
  };
  return (line) => (line.stream === "log" && line.level === "error" ? { ...line, text: annotated(line.text, linesOf) } : line);
}

function annotated(text: string, linesOf: (file: string) => readonly string[]): string {
  const shown = text.split("\n");
  const at = shown.findIndex((line) => frame.test(line) && !line.includes("/node_modules/"));
  const [, file, line, column] = frame.exec(shown[at] ?? "") ?? [];
  if (file === undefined) return text;
  const excerpt = excerptOf(file, Number(line), Number(column), linesOf);
  return [...shown.slice(0, at + 1), ...excerpt, ...shown.slice(at + 1)].join("\n");
}

/** The line with a caret below; nothing when the file is gone, or has changed too much to have it. */
function excerptOf(file: string, line: number, column: number, linesOf: (file: string) => readonly string[]): string[] {
  try {
    const text = linesOf(file)[line - 1]?.trimEnd();
    if (text === undefined || text.length > shownMax || column > text.length + 1) return [];
    const gutter = `      ${line} | `;
    const caret = `${" ".repeat(gutter.length - 2)}| ${text.slice(0, column - 1).replace(/[^\t]/g, " ")}^`;
    return [gutter + text, caret];
  } catch {
    return [];
  }
}
