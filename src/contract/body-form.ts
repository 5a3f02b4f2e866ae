/**
 * Form bodies (application/x-www-form-urlencoded): each property by its `encoding`, as a query parameter is by its style.
 */
import { emptyRecord } from "../core/record.ts";
import { bodyFault, type BodyEntry, type BodyValue } from "./body-value.ts";
import { decodeUtf8 } from "./body-text.ts";
import { isRecord, member } from "./json.ts";
import { findPairs, type Notation } from "./notation.ts";
import { decodeForm, readPairs, type Pair } from "./query.ts";
import type { Shape } from "./shape.ts";
import { styles, type Strings } from "./styles.ts";
import { holdsBigint, typed, writable } from "./typed.ts";

/** Reads a form into an object. */
export function readFormBody(body: Uint8Array, entry: BodyEntry): BodyValue {
  const decoded = decodeUtf8(body);
  if (!decoded.ok) return decoded;
  const read = readPairs(decoded.text);
  return read.ok ? valueOfPairs(read.pairs, entry, decodeForm) : bodyFault(read.message);
}

/** An object of named values, typed by the entry's schema. */
export function valueOfPairs(pairs: readonly Pair[], entry: BodyEntry, decode: (raw: string) => string | undefined): BodyValue {
  const { shape } = entry;
  const strings = emptyRecord<Strings>();
  const names = shape.propertyNames();
  const declared = new Set(names);
  const used = new Set<string>();
  for (const name of names) {
    const notation = notationOf(name, shape, entry.encoding);
    const found = findPairs(
      isJsonField(notation, entry.encoding, pairs) ? { ...notation, content: "json" } : notation,
      pairs,
      declared,
      decode,
    );
    if (found.kind === "fault") return { ok: false, errors: [{ in: "body", path: `$.${name}`, message: found.message }] };
    if (found.kind !== "found") continue;
    const [first] = found.readings;
    if (first !== undefined) strings[name] = first;
    for (const taken of namesWithin(notation, first)) used.add(taken);
  }
  for (const pair of pairs) {
    const root = pair.name.includes("[") ? pair.name.slice(0, pair.name.indexOf("[")) : pair.name;
    if (declared.has(pair.name) || declared.has(root) || used.has(pair.name)) continue;
    const value = decode(pair.raw);
    if (value === undefined) return bodyFault("has a value with invalid percent-encoding");
    const there = strings[pair.name];
    strings[pair.name] = there === undefined ? value : [...(Array.isArray(there) ? (there as readonly Strings[]) : [there]), value];
  }
  return candidatesOf(strings, shape);
}

/** An object without a style of its own is JSON where the form has a field of its name. */
function isJsonField(notation: Notation, encoding: unknown, pairs: readonly Pair[]): boolean {
  const { name, shape } = notation;
  return (
    shape.wants("object") &&
    !shape.wants("array") &&
    member(member(encoding, name), "style") === undefined &&
    pairs.some((pair) => pair.name === name)
  );
}

/** Names that an exploded object took for its properties. */
function namesWithin(notation: Notation, reading: Strings | undefined): readonly string[] {
  return notation.shape.wants("object") && isRecord(reading) ? Object.keys(reading) : [];
}

/** The typed value, and the one in which text stays text wherever it may. */
export function candidatesOf(strings: Strings, shape: Shape): BodyValue {
  const value = typed(strings, shape, "typed");
  const exact = holdsBigint(value);
  if (exact) return { ok: true, candidates: [value], exact, result: writable(value) };
  return { ok: true, candidates: [value, typed(strings, shape, "text")] };
}

function notationOf(name: string, shape: Shape, encoding: unknown): Notation {
  const own = member(encoding, name);
  const style = styles.find((one) => one === member(own, "style")) ?? "form";
  const explode = member(own, "explode");
  const property = shape.property(name) ?? shape.items;
  const contentType = member(own, "contentType");
  return {
    name,
    style,
    explode: typeof explode === "boolean" ? explode : style === "form",
    // Without a style an object is JSON: the names of its properties are not looked for among the form's own.
    loose: explode === true || member(own, "style") !== undefined,
    allowEmptyValue: false,
    shape: property,
    content: typeof contentType === "string" && /json/i.test(contentType) ? "json" : undefined,
  };
}
