/**
 * Multipart bodies: fields by name, each by its `encoding`. Files become base64 in the value that is handed on; they are
 * judged as the bytes they are.
 */
import { emptyRecord } from "../core/record.ts";
import type { Violation } from "./contract.ts";
import { bodyFault, type BodyEntry, type BodyValue } from "./body-value.ts";
import { decodeText } from "./body-text.ts";
import { member, pathText, textOf } from "./json.ts";
import { formatOf, parseMediaType, specificity, type MediaType } from "./media-type.ts";
import { splitParts, type Part } from "./multipart.ts";
import { readNumber } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import { holdsBigint, typed, writable } from "./typed.ts";

/** Reads a multipart body into an object of its fields. */
export function readMultipartBody(body: Uint8Array, type: MediaType, entry: BodyEntry): BodyValue {
  const boundary = type.parameters.get("boundary");
  if (boundary === undefined || boundary === "" || boundary.length > 70)
    return bodyFault("cannot be split: its Content-Type has no valid boundary");
  const split = splitParts(body, boundary);
  if (!split.ok) return bodyFault(split.message);
  const fields = new Map<string, Field[]>();
  for (const part of split.parts) {
    const name = part.name ?? (type.essence === "multipart/form-data" ? undefined : "");
    if (name === undefined) return bodyFault("has a part without a name");
    const field = readField(part, fieldName(name, entry.shape), entry);
    if ("errors" in field) return field;
    const key = fieldName(name, entry.shape);
    const there = fields.get(key);
    if (there) there.push(field);
    else fields.set(key, [field]);
  }
  return assemble(fields, entry.shape);
}

/** One part's value: what is judged, and what is handed on. */
interface Field {
  readonly judged: unknown;
  readonly result: unknown;
}

/** `files[]` is what many clients write for a list called `files`. */
function fieldName(name: string, shape: Shape): string {
  const bare = name.replace(/\[[0-9]*\]$/, "");
  return !shape.declares(name) && shape.declares(bare) ? bare : name;
}

function assemble(fields: ReadonlyMap<string, readonly Field[]>, shape: Shape): BodyValue {
  const judged = emptyRecord();
  const result = emptyRecord();
  for (const [name, list] of fields) {
    const property = shape.property(name);
    const [first] = list;
    // A list of one is written as one part.
    const isList = list.length > 1 || (property?.wants("array") === true && !Array.isArray(first?.judged));
    judged[name] = isList ? list.map((field) => field.judged) : first?.judged;
    result[name] = isList ? list.map((field) => field.result) : first?.result;
  }
  return { ok: true, candidates: [judged], exact: holdsBigint(judged), result: writable(result) };
}

function readField(part: Part, name: string, entry: BodyEntry): Field | { readonly ok: false; readonly errors: readonly Violation[] } {
  const property = entry.shape.property(name);
  // What one part holds: an item where the property is a list of them.
  const shape = property?.wants("array") === true && !isJson(part, name, entry) ? property.items : property;
  const wanted = textOf(member(member(entry.encoding, name), "contentType"));
  if (wanted !== undefined && part.type && !isOneOf(part.type, wanted))
    return fieldFault(name, `must be ${wanted}, got ${part.type.essence}`);
  if (isJson(part, name, entry) || ((shape?.wants("object") ?? false) && !shape?.isBinary)) return readJsonField(part, name, shape);
  if (isFile(part, shape, wanted))
    return { judged: Buffer.from(part.bytes).toString("latin1"), result: Buffer.from(part.bytes).toString("base64") };
  const text = decodeText(part.bytes, part.type?.parameters.get("charset"));
  if (!text.ok) return fieldFault(name, text.errors[0]?.message ?? "cannot be read");
  const value = typed(text.text, shape, "typed");
  return { judged: value, result: value };
}

function isJson(part: Part, name: string, entry: BodyEntry): boolean {
  const wanted = textOf(member(member(entry.encoding, name), "contentType"));
  const essence = part.type?.essence ?? (wanted === undefined ? undefined : parseMediaType(wanted.split(",")[0] ?? "")?.essence);
  return essence !== undefined && formatOf(essence) === "json" && part.filename === undefined;
}

function isFile(part: Part, shape: Shape | undefined, wanted: string | undefined): boolean {
  if (shape?.isBinary || part.filename !== undefined) return true;
  const essence = part.type?.essence ?? (wanted === undefined ? undefined : parseMediaType(wanted.split(",")[0] ?? "")?.essence);
  return essence !== undefined && formatOf(essence) === "opaque";
}

function readJsonField(part: Part, name: string, shape: Shape | undefined): ReturnType<typeof readField> {
  const text = decodeText(part.bytes, undefined);
  if (!text.ok) return fieldFault(name, "is not valid UTF-8");
  // A document that is to be handed on as it is written.
  const isText = shape?.wants("string") === true && shape.types?.size === 1;
  try {
    const value: unknown = JSON.parse(text.text);
    if (isText && typeof value !== "string") return { judged: text.text, result: text.text };
    return { judged: typeof value === "number" ? readNumber(text.text.trim()) : value, result: value };
  } catch {
    if (isText) return { judged: text.text, result: text.text };
    return fieldFault(name, "must be JSON: it cannot be parsed");
  }
}

function isOneOf(type: MediaType, wanted: string): boolean {
  return wanted.split(",").some((one) => {
    const range = parseMediaType(one.trim());
    return range !== undefined && specificity(range, type) > 0;
  });
}

function fieldFault(name: string, message: string): { readonly ok: false; readonly errors: readonly Violation[] } {
  return { ok: false, errors: [{ in: "body", path: `$${pathText([name])}`, message }] };
}
