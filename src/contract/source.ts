/**
 * Reads one file of a contract, YAML or JSON, into a value. Problems of syntax are told with their place.
 */
import { LineCounter, parseDocument, type YAMLParseError } from "yaml";
import type { Diagnostic } from "../core/diagnostic.ts";
import { reasonOf } from "../core/system-error.ts";
import { yamlFaults } from "../core/yaml-fault.ts";
import { isRecord } from "./json.ts";
import { locateJsonFault } from "./json-fault.ts";
import { placeAt, placedTextLengthMax } from "./places.ts";

export interface SourceFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  readonly value: unknown;
}

export type ReadSource = { readonly ok: true; readonly source: SourceFile } | { readonly ok: false; readonly problem: Diagnostic };

/** Documents larger than this are refused. */
export const sourceBytesMax = 64 * 1024 * 1024;
/** Up to here YAML is read by the careful parser, which also finds keys given twice; beyond, by one some ten times faster. */
const carefulTextLengthMax = 256 * 1024;
/** Aliases that expand to more values than this are refused. */
const valuesMax = 5_000_000;

/** Reads and parses a file. A file that begins with "{" or "[" is tried as JSON first. */
export async function readSource(path: string): Promise<ReadSource> {
  const file = Bun.file(path);
  let text: string;
  try {
    if (file.size > sourceBytesMax)
      return failed({ severity: "error", file: path, message: `Cannot read "${path}": it is larger than ${sourceBytesMax} bytes` });
    text = (await file.text()).replace(/^\uFEFF/, "");
  } catch (error) {
    return failed({
      severity: "error",
      file: path,
      message: `Cannot read "${path}": ${reasonOf(error)}`,
      hint: "Check the path and the file's permissions.",
    });
  }
  const parsed = parse(path, text);
  if (!parsed.ok) return parsed;
  if (countValues(parsed.value, 0) > valuesMax)
    return failed({ severity: "error", file: path, message: `Cannot read "${path}": its aliases expand to more than ${valuesMax} values` });
  return { ok: true, source: { path, text, value: parsed.value } };
}

type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: Diagnostic };

function parse(path: string, text: string): Parsed {
  if (/^\s*[{[]/.test(text)) {
    try {
      return { ok: true, value: JSON.parse(text) };
    } catch {
      if (path.endsWith(".json")) return failed(jsonProblem(path, text));
      // YAML in flow style, or broken JSON: the YAML parser reads the one and says where the other breaks.
    }
  }
  return text.length > carefulTextLengthMax ? parseFast(path, text) : parseCarefully(path, text);
}

function jsonProblem(path: string, text: string): Diagnostic {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines.addNewLine(at + 1);
  const { offset, message } = locateJsonFault(text);
  return { severity: "error", place: placeAt(path, text, offset, lines), message: `Cannot parse: ${message}` };
}

function parseFast(path: string, text: string): Parsed {
  try {
    const value: unknown = Bun.YAML.parse(text);
    if (Array.isArray(value) && !/^\s*(-|\[)/.test(text)) return parseCarefully(path, text);
    return { ok: true, value };
  } catch (error) {
    if (text.length <= placedTextLengthMax) return parseCarefully(path, text);
    return failed({ severity: "error", file: path, message: `Cannot parse "${path}": ${reasonOf(error)}` });
  }
}

function parseCarefully(path: string, text: string): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false, logLevel: "error" });
  const error = document.errors[0];
  if (error) {
    const place = placeAt(path, text, error.pos[0], lines);
    if (error.code === "MULTIPLE_DOCS")
      return failed({
        severity: "error",
        place,
        message: "A second YAML document starts here",
        hint: "A contract is one document; split the file.",
      });
    return failed(syntaxProblem(path, text, document.errors, lines));
  }
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 10_000 }) };
  } catch (cause) {
    return failed({ severity: "error", file: path, message: `Cannot read "${path}": ${reasonOf(cause)}` });
  }
}

/** The first: a contract that cannot be parsed is mended slip by slip. */
function syntaxProblem(path: string, text: string, errors: readonly YAMLParseError[], lines: LineCounter): Diagnostic {
  const [fault] = yamlFaults(text, errors);
  const { offset, message, hint } = fault ?? { offset: 0, message: "it is not YAML" };
  const place = placeAt(path, text, offset, lines);
  return { severity: "error", place, message: `Cannot parse: ${message}`, ...(hint === undefined ? {} : { hint }) };
}

function failed(problem: Diagnostic): { readonly ok: false; readonly problem: Diagnostic } {
  return { ok: false, problem };
}

function countValues(value: unknown, seen: number): number {
  let count = seen;
  const open: unknown[] = [value];
  while (open.length > 0 && count <= valuesMax) {
    const at = open.pop();
    count++;
    if (Array.isArray(at)) for (const one of at) open.push(one);
    else if (isRecord(at)) for (const key in at) open.push(at[key]);
  }
  return count;
}
