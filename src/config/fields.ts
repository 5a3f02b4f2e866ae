/**
 * Mappings of the service file: those with known keys (`fields`) and those whose keys the author chooses (`table`).
 */
import { nearest } from "../core/suggest.ts";
import type { Reading } from "./reading.ts";
import type { Definitions, JsonSchema, Shape, TypeOf } from "./shape.ts";
import { refuseTag, refuseType } from "./shape.ts";
import { quoted } from "./value.ts";
import type { Entry, Mapping, Value } from "./value.ts";

/** One key: what it holds, and what an editor tells about it. */
export interface Field<T> {
  readonly shape: Shape<T>;
  readonly description: string;
  /** Other spellings of the key; only one of all may be used at a time. */
  readonly spellings?: readonly string[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

/** What was read of a key: its value, where the key stands, and where the value stands. */
export interface Located<T> {
  readonly value: T;
  readonly key: Value;
  readonly at: Value;
}

type AnyFields = Readonly<Record<string, Field<unknown>>>;
/** Keys that are absent or were refused are not there; `given` has those that stand in the file, refused or not. */
export type Read<F extends AnyFields> = { readonly [K in keyof F]?: Located<TypeOf<F[K]["shape"]>> } & {
  readonly given: ReadonlySet<string>;
};

export interface FieldsRules {
  readonly expected: string;
  /** Keys that a later version will know: refused by name, never ignored. */
  readonly later?: readonly string[];
  /** Whether keys that start with "x-" are let through, as a place for anchors. */
  readonly extensions?: boolean;
  /** Keys that must be there, each with what to do where it is not. */
  readonly required?: Readonly<Record<string, string>>;
  /** Keys of which one must be there, and no other. */
  readonly oneOf?: OneOf;
  /** More of JSON Schema, for what `fields` cannot say. */
  readonly schema?: JsonSchema;
}

export interface OneOf {
  readonly keys: readonly [string, string, ...string[]];
  /** What is lacking without any, in words that follow "has": "no address". */
  readonly missing: string;
  /** What to do then. */
  readonly hint: string;
}

export function fields<F extends AnyFields>(known: F, rules: FieldsRules): Shape<Read<F>> {
  const canonical = new Map(
    Object.entries(known).flatMap(([name, field]) => [name, ...(field.spellings ?? [])].map((spelling) => [spelling, name] as const)),
  );
  return {
    expected: rules.expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind !== "mapping") return refuseType(value, name, rules.expected, reading);
      const chosen = chooseSpellings(value, canonical, reading);
      refuseUnknown(value, canonical, rules, name, reading);
      refuseMissing(value, chosen, rules, name, reading);
      refuseNotOne(value, chosen, rules, name, reading);
      const read: Record<string, Located<unknown>> = {};
      for (const [key, entry] of chosen) {
        const result = known[key]?.shape.read(entry.value, childName(name, entry.key.text), reading);
        if (result !== undefined) read[key] = { value: result, key: entry.key, at: entry.value };
      }
      // The loop above put nothing but each key's own type there, which the compiler cannot follow.
      return { ...read, given: new Set(chosen.keys()) } as unknown as Read<F>;
    },
    schema: (definitions) => fieldsSchema(known, rules, definitions),
  };
}

/** Of several spellings of a key the one that stands in the mapping itself goes before one that was merged in. */
function chooseSpellings(mapping: Mapping, canonical: ReadonlyMap<string, string>, reading: Reading): ReadonlyMap<string, Entry> {
  const chosen = new Map<string, Entry>();
  for (const entry of mapping.entries) {
    const key = canonical.get(entry.key.text);
    if (key === undefined) continue;
    const other = chosen.get(key);
    if (other === undefined) chosen.set(key, entry);
    else if (!entry.merged)
      reading.error(
        entry.key,
        `${quoted(entry.key.text)} and ${quoted(other.key.text)} are spellings of the same key`,
        `The other stands on line ${reading.placeOf(other.key).line}; keep one`,
      );
  }
  return chosen;
}

function refuseUnknown(mapping: Mapping, canonical: ReadonlyMap<string, string>, rules: FieldsRules, name: string, reading: Reading): void {
  for (const { key, merged } of mapping.entries) {
    if (canonical.has(key.text) || (rules.extensions && key.text.startsWith("x-"))) continue;
    if (rules.later?.includes(key.text)) {
      reading.error(
        key,
        `${quoted(key.text)} is not supported by this version of urocket`,
        "Take it out; nothing of the file is ever ignored",
      );
      continue;
    }
    const within = name === "" ? "" : ` in "${name}"`;
    const near = nearest(key.text, [...canonical.keys(), ...(rules.later ?? [])]);
    const hint = near === undefined ? `Known here: ${[...new Set(canonical.values())].join(", ")}` : `Did you mean "${near}"?`;
    reading.error(key, `Unknown key ${quoted(key.text)}${within}${merged ? " (merged in by <<)" : ""}`, hint);
  }
}

/** Where a key of a later version stands in, its refusal says enough. */
function refuseMissing(mapping: Mapping, chosen: ReadonlyMap<string, Entry>, rules: FieldsRules, name: string, reading: Reading): void {
  if (hasLater(mapping, rules)) return;
  for (const [key, hint] of Object.entries(rules.required ?? {})) {
    if (!chosen.has(key)) reading.error(mapping, `"${name}" has no "${key}"`, hint);
  }
}

function hasLater(mapping: Mapping, rules: FieldsRules): boolean {
  return mapping.entries.some((entry) => rules.later?.includes(entry.key.text));
}

function refuseNotOne(mapping: Mapping, chosen: ReadonlyMap<string, Entry>, rules: FieldsRules, name: string, reading: Reading): void {
  if (rules.oneOf === undefined) return;
  const { keys, missing, hint } = rules.oneOf;
  const [first, second] = keys.flatMap((key) => chosen.get(key) ?? []).toSorted((a, b) => a.key.offset - b.key.offset);
  if (first === undefined) {
    if (!hasLater(mapping, rules)) reading.error(mapping, `"${name}" has ${missing}`, hint);
  } else if (second !== undefined) {
    const { line } = reading.placeOf(first.key);
    const message = `"${name}" has both ${quoted(first.key.text)} and ${quoted(second.key.text)}`;
    reading.error(second.key, message, `The other stands on line ${line}; keep one`);
  }
}

function fieldsSchema(known: AnyFields, rules: FieldsRules, definitions: Definitions): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const onlyOne: JsonSchema[] = [];
  for (const [name, field] of Object.entries(known)) {
    properties[name] = fieldSchema(field, field.description, definitions);
    for (const spelling of field.spellings ?? []) {
      properties[spelling] = fieldSchema(field, `Another spelling of \`${name}\`. ${field.description}`, definitions);
      onlyOne.push({ not: { required: [name, spelling] } });
    }
  }
  return {
    type: "object",
    properties,
    ...(rules.extensions ? { patternProperties: { "^x-": {} } } : {}),
    additionalProperties: false,
    ...(rules.required ? { required: Object.keys(rules.required) } : {}),
    ...(onlyOne.length > 0 ? { allOf: onlyOne } : {}),
    ...(rules.oneOf ? { oneOf: rules.oneOf.keys.map((key) => ({ required: [key] })) } : {}),
    ...rules.schema,
  };
}

function fieldSchema(field: Field<unknown>, description: string, definitions: Definitions): JsonSchema {
  return {
    description,
    ...field.shape.schema(definitions),
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(field.examples === undefined ? {} : { examples: field.examples }),
  };
}

export interface Row<T> {
  readonly key: Value & { readonly kind: "text" };
  readonly value: T;
}

export interface TableRules {
  readonly expected: string;
  /** Regular expression of the keys, for the schema. */
  readonly keyPattern: string;
}

/** A mapping whose keys are the author's: rows in the order of the file. */
export function table<T>(shape: Shape<T>, rules: TableRules): Shape<readonly Row<T>[]> {
  return {
    expected: rules.expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind !== "mapping") return refuseType(value, name, rules.expected, reading);
      return value.entries.flatMap((entry) => {
        const read = shape.read(entry.value, `${name}.${entry.key.text}`, reading);
        return read === undefined ? [] : [{ key: entry.key, value: read }];
      });
    },
    schema: (definitions) => ({
      type: "object",
      propertyNames: { pattern: rules.keyPattern },
      additionalProperties: shape.schema(definitions),
    }),
  };
}

function childName(parent: string, key: string): string {
  return parent === "" ? key : `${parent}.${key}`;
}
