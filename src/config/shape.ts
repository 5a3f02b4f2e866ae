/**
 * The smallest parts of the description of a service file. A shape says of one value what it must be, reads it, and
 * writes itself as JSON Schema: the checker and the published schema come from the same description, so that neither
 * can know a key that the other does not.
 */
import type { Parsed } from "../core/units.ts";
import {
  cpuForm,
  cpuPattern,
  durationForm,
  durationPattern,
  formatDuration,
  formatSize,
  parseCpu,
  parseDuration,
  parseSize,
  sizeForm,
  sizePattern,
} from "../core/units.ts";
import { nearest } from "../core/suggest.ts";
import type { Reading } from "./reading.ts";
import { describeValue, quoted } from "./value.ts";
import type { Value } from "./value.ts";

export interface Shape<T> {
  /** What the value must be, in words that follow "must be". */
  readonly expected: string;
  /** The value, or nothing when it was refused; why was told to `reading`. `name` is the value's, for messages. */
  readonly read: (value: Value, name: string, reading: Reading) => T | undefined;
  /** The same as JSON Schema 2020-12. What has a name of its own is put into `definitions` and referred to. */
  readonly schema: (definitions: Definitions) => JsonSchema;
}

export type TypeOf<S> = S extends Shape<infer T> ? T : never;
export type JsonSchema = { readonly [keyword: string]: unknown };
export type Definitions = Map<string, JsonSchema>;

/** Tells that a value is of the wrong type. */
export function refuseType(value: Value, name: string, expected: string, reading: Reading): undefined {
  const subject = name === "" ? "A service file" : `"${name}"`;
  reading.error(
    value,
    `${subject} must be ${expected}, found ${describeValue(value)}`,
    name === "" ? undefined : typeHint(value, expected),
  );
  return undefined;
}

/** Tells of a tag that means nothing here; what it stands before is read as if the tag were not there. */
export function refuseTag(value: Value, name: string, reading: Reading): void {
  if (value.tag !== undefined)
    reading.error(value, `The tag "${value.tag}" means nothing for "${name}"`, "Only `cmd` takes tags: !ToSplit and !Splitted");
}

/** What a text is checked for beyond being one: the wrong text's message and hint. */
export type Refusal = { readonly message: string; readonly hint?: string };

export interface TextRules {
  readonly expected: string;
  /** A regular expression for the schema; the check itself is `refuse`'s. */
  readonly pattern?: string;
  readonly refuse?: (text: string) => Refusal | undefined;
}

export function text(rules: TextRules): Shape<string> {
  return {
    expected: rules.expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind !== "text") return refuseType(value, name, rules.expected, reading);
      const refusal = value.text.includes("\0") ? { message: `"${name}" holds a NUL character` } : rules.refuse?.(value.text);
      if (refusal === undefined) return value.text;
      reading.error(value, refusal.message, refusal.hint);
      return undefined;
    },
    schema: () => ({ type: "string", ...(rules.pattern === undefined ? {} : { pattern: rules.pattern }) }),
  };
}

export function flag(): Shape<boolean> {
  const expected = "true or false";
  return {
    expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind === "boolean") return value.boolean;
      return refuseType(value, name, expected, reading);
    },
    schema: () => ({ type: "boolean" }),
  };
}

/** One of a few words; `later` are words that a later version will know. `true` and `false` may be among them. */
export function choice<const W extends string | boolean>(words: readonly W[], later: readonly string[] = []): Shape<W> {
  const expected = words
    .map(String)
    .join(", ")
    .replace(/, ([^,]*)$/, " or $1");
  return {
    expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      const found = value.kind === "text" ? value.text : value.kind === "boolean" ? value.boolean : undefined;
      const word = words.find((known) => known === found);
      if (word !== undefined) return word;
      if (typeof found !== "string") return refuseType(value, name, expected, reading);
      if (later.includes(found))
        reading.error(value, `"${name}: ${found}" is not supported by this version of urocket`, `Supported: ${expected}`);
      else
        reading.error(
          value,
          `"${name}" must be ${expected}, found ${describeValue(value)}`,
          meant(found, words) ?? typeHint(value, expected),
        );
      return undefined;
    },
    schema: () => ({ enum: [...words] }),
  };
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

export function integer({ min, max }: Range): Shape<number> {
  const expected = `a whole number from ${min} to ${max}`;
  return {
    expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind === "number" && Number.isInteger(value.number) && value.number >= min && value.number <= max) return value.number;
      return refuseType(value, name, expected, reading);
    },
    schema: () => ({ type: "integer", minimum: min, maximum: max }),
  };
}

/** Milliseconds. */
export function duration(range: Range): Shape<number> {
  return quantity({
    expected: durationForm,
    pattern: durationPattern,
    parse: parseDuration,
    format: formatDuration,
    integer: true,
    ...range,
  });
}

/** Bytes. */
export function size(range: Range): Shape<number> {
  return quantity({
    expected: sizeForm,
    pattern: sizePattern,
    parse: parseSize,
    format: formatSize,
    integer: true,
    bare: bareSizeHint,
    ...range,
  });
}

/** CPUs' worth of time. */
export function cpu(range: Range): Shape<number> {
  return quantity({ expected: cpuForm, pattern: cpuPattern, parse: parseCpu, format: String, integer: false, ...range });
}

interface Quantity extends Range {
  readonly expected: string;
  readonly pattern: string;
  readonly parse: (text: string) => Parsed;
  readonly format: (value: number) => string;
  readonly integer: boolean;
  /** What a number without a unit, which is too small, was probably meant to be. */
  readonly bare?: (text: string, min: number) => string | undefined;
}

function bareSizeHint(text: string, min: number): string | undefined {
  const meant = `${text}Mi`;
  const parsed = parseSize(meant);
  return parsed.ok && parsed.value >= min ? `A number alone is bytes: write ${meant} where MiB are meant` : undefined;
}

function quantity({ expected, pattern, parse, format, integer: wholeNumbers, bare, min, max }: Quantity): Shape<number> {
  return {
    expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind !== "text" && value.kind !== "number") return refuseType(value, name, expected, reading);
      const parsed = parse(value.text);
      if (!parsed.ok) reading.error(value, `"${name}" ${parsed.message}`);
      else if (parsed.value < min) {
        const hint = value.kind === "number" ? bare?.(value.text, min) : undefined;
        reading.error(value, `"${name}" must be at least ${format(min)}, found ${quoted(value.text)}`, hint);
      } else if (parsed.value > max) reading.error(value, `"${name}" must be at most ${format(max)}, found ${quoted(value.text)}`);
      else return parsed.value;
      return undefined;
    },
    schema: () => ({
      anyOf: [
        { type: wholeNumbers ? "integer" : "number", minimum: min, maximum: max },
        { type: "string", pattern },
      ],
    }),
  };
}

/** A list; each item is named after it: "hosts[0]". */
export function list<T>(item: Shape<T>, expected: string): Shape<readonly { readonly value: T; readonly at: Value }[]> {
  return {
    expected,
    read(value, name, reading) {
      refuseTag(value, name, reading);
      if (value.kind !== "list") return refuseType(value, name, expected, reading);
      return value.items.flatMap((at, position) => {
        const read = item.read(at, `${name}[${position}]`, reading);
        return read === undefined ? [] : [{ value: read, at }];
      });
    },
    schema: (definitions) => ({ type: "array", items: item.schema(definitions) }),
  };
}

/** A shape that stands once in the schema, by its name, however often it is used. */
export function named<T>(name: string, shape: Shape<T>): Shape<T> {
  return {
    expected: shape.expected,
    read: shape.read,
    schema(definitions) {
      // Taken before it is made, so that a shape that holds itself ends.
      if (!definitions.has(name)) definitions.set(name, {}).set(name, shape.schema(definitions));
      return { $ref: `#/$defs/${name}` };
    },
  };
}

const oldBooleans: ReadonlyMap<string, string> = new Map([
  ...["yes", "on", "y"].map((word) => [word, "true"] as const),
  ...["no", "off", "n"].map((word) => [word, "false"] as const),
]);

function typeHint(value: Value, expected: string): string | undefined {
  if (value.kind === "nothing") return "Give the key a value, or take it out";
  if (value.kind === "mapping" && expected.startsWith("a list")) return 'Begin each of the list on a line of its own with "- "';
  if (value.kind === "mapping") return "In YAML a text that starts with { needs quotes around it";
  if (value.kind !== "text") return undefined;
  const boolean = oldBooleans.get(value.text.toLowerCase());
  return boolean === undefined ? undefined : `YAML 1.2 reads ${quoted(value.text)} as a text; write ${boolean}`;
}

function meant(found: string, words: readonly (string | boolean)[]): string | undefined {
  const word = nearest(found, words.map(String));
  return word === undefined ? undefined : `Did you mean ${word}?`;
}
