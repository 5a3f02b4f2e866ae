/**
 * The `style` and `explode` of OpenAPI's parameters (§4.7.12.2, RFC 6570): from raw text to the strings that the values
 * are made of. What the strings mean is the schema's business, and comes after.
 */
import { emptyRecord } from "../core/record.ts";
import type { Pair } from "./query.ts";

export const styles = ["simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject"] as const;
export type Style = (typeof styles)[number];

/** Text, or what text it is made of. */
export type Strings = string | readonly Strings[] | { readonly [name: string]: Strings };
/** What a value is to be: text, a list or an object. */
export type Form = "scalar" | "array" | "object";
export type Decode = (raw: string) => string | undefined;

/** A reading; undefined items are no valid percent-encoding. */
type Items = (string | undefined)[];

/** Levels that `deepObject` goes down, at the most. */
export const deepObjectLevelsMax = 32;

/** Thrown away where it arises: a part was no valid percent-encoding. */
export const invalid = Symbol("invalid percent-encoding");
export type Reading = Strings | typeof invalid;

function whole(items: Items): Reading {
  const good = items.filter((item) => item !== undefined);
  return good.length === items.length ? good : invalid;
}

/** Names and values in turn; what does not come in twos is text. */
function toObject(items: Items): Reading {
  if (items.length % 2 === 1) {
    const text = whole(items);
    return Array.isArray(text) ? text.join(",") : text;
  }
  const object = emptyRecord<Strings>();
  for (let index = 0; index < items.length; index += 2) {
    const name = items[index];
    const value = items[index + 1];
    if (name === undefined || value === undefined) return invalid;
    object[name] = value;
  }
  return object;
}

function split(raw: string, separator: string | RegExp, decode: Decode): Items {
  return raw === "" ? [] : raw.split(separator).map(decode);
}

/** `R=100,G=200` */
function assignments(parts: readonly string[], decode: Decode): Reading {
  const items = parts.flatMap((part) => {
    const equals = part.indexOf("=");
    return equals < 0 ? [decode(part), ""] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))];
  });
  return toObject(items);
}

function scalar(raw: string, decode: Decode): Reading {
  return decode(raw) ?? invalid;
}

/** Reads a path segment or a header field. Several readings where the notation is ambiguous, the likeliest first. */
export function readText(raw: string, name: string, style: Style, explode: boolean, form: Form, decode: Decode): readonly Reading[] {
  if (style === "label") return readLabel(raw, explode, form, decode);
  if (style === "matrix") return [readMatrix(raw, name, explode, form, decode)];
  return readSimple(raw, explode, form, decode);
}

function readSimple(raw: string, explode: boolean, form: Form, decode: Decode): readonly Reading[] {
  if (form === "scalar") return [scalar(raw, decode)];
  if (form === "array") return listReadings(raw, ",", decode);
  return explode ? [assignments(raw === "" ? [] : raw.split(","), decode)] : objectReadings(raw, decode);
}

/** Names and values in turn; without a plain comma they may be a client's that encodes everything. */
function objectReadings(raw: string, decode: Decode): readonly Reading[] {
  const strict = toObject(split(raw, ",", decode));
  const inner = raw.includes("%") && !raw.includes(",") ? decode(raw) : undefined;
  return inner?.includes(",") ? [toObject(inner.split(",")), strict] : [strict];
}

/** A list; where its only item holds encoded separators they may be a client's that encodes everything. */
function listReadings(raw: string, separator: string, decode: Decode): readonly Reading[] {
  const strict = whole(split(raw, separator, decode));
  if (raw.includes(separator) || !raw.includes("%")) return [strict];
  const inner = decode(raw);
  return inner?.includes(separator) ? [strict, inner.split(separator)] : [strict];
}

function readLabel(raw: string, explode: boolean, form: Form, decode: Decode): readonly Reading[] {
  if (!raw.startsWith(".")) return [];
  const text = raw.slice(1);
  if (form === "scalar") return [scalar(text, decode)];
  if (form === "object" && explode) return [assignments(text === "" ? [] : text.split("."), decode)];
  // OpenAPI 3.0.0-3.0.3 separate by dots what RFC 6570 and later versions separate by commas.
  const separators = explode ? ["."] : [",", "."];
  const read = form === "array" ? whole : toObject;
  return separators
    .filter((separator) => separators.length === 1 || separator === "," || !text.includes(","))
    .map((separator) => read(split(text, separator, decode)));
}

function readMatrix(raw: string, name: string, explode: boolean, form: Form, decode: Decode): Reading {
  if (!raw.startsWith(";")) return invalid;
  const parts = raw.slice(1).split(";");
  if (form === "object" && explode) return assignments(parts[0] === "" ? [] : parts, decode);
  const values: string[] = [];
  for (const part of parts) {
    const equals = part.indexOf("=");
    if ((equals < 0 ? part : part.slice(0, equals)) !== name) return invalid;
    values.push(equals < 0 ? "" : part.slice(equals + 1));
  }
  if (form === "array" && explode) return whole(values.map(decode));
  const text = values.join(",");
  if (form === "scalar") return scalar(text, decode);
  return form === "array" ? whole(split(text, ",", decode)) : toObject(split(text, ",", decode));
}

const separators: Readonly<Record<string, RegExp>> = { spaceDelimited: /%20|\+| /, pipeDelimited: /%7[Cc]|\|/ };

/** Reads the values that a query gives one name. Several readings where the notation is ambiguous, the likeliest first. */
export function readValues(values: readonly string[], style: Style, explode: boolean, form: Form, decode: Decode): readonly Reading[] {
  if (form === "scalar" || (form === "object" && style === "deepObject")) return [scalar(values[0] ?? "", decode)];
  if (form === "array" && (explode || values.length > 1))
    return values.length === 1 && values[0] === "" ? [[""], []] : [whole(values.map(decode))];
  const read = form === "object" ? toObject : whole;
  const raw = values.join(",");
  const separator = separators[style];
  if (!separator) return form === "object" ? objectReadings(raw, decode) : listReadings(raw, ",", decode);
  const text = values.join(style === "pipeDelimited" ? "|" : " ");
  const loose = read(split(text, separator, decode));
  // A pipe that is not encoded separates; one that is may be part of a value then.
  return style === "pipeDelimited" && text.includes("|") ? [read(split(text, "|", decode)), loose] : [loose];
}

/** Reads `name[a][b]=1`: undefined when no pair is the name's own. */
export function readDeepObject(pairs: readonly Pair[], name: string, decode: Decode): Reading | undefined {
  let root: Tree | undefined;
  for (const pair of pairs) {
    const keys = bracketKeys(pair.name, name);
    if (!keys) continue;
    const value = decode(pair.raw);
    if (value === undefined || keys.length > deepObjectLevelsMax) return invalid;
    root ??= new Map();
    plant(root, keys, value);
  }
  return root && harvest(root);
}

/** Whether a name belongs to an object written with brackets: "filter[a]" to "filter". */
export function isBracketed(pairName: string, name: string): boolean {
  return pairName.startsWith(`${name}[`) && pairName.endsWith("]");
}

type Tree = Map<string, Tree | string[]>;

function bracketKeys(pairName: string, name: string): string[] | undefined {
  if (!isBracketed(pairName, name)) return undefined;
  return pairName.slice(name.length + 1, -1).split("][");
}

function plant(root: Tree, keys: readonly string[], value: string): void {
  let at = root;
  for (const key of keys.slice(0, -1)) {
    let next = at.get(key);
    if (!(next instanceof Map)) at.set(key, (next = new Map()));
    at = next;
  }
  const last = keys.at(-1) ?? "";
  const there = at.get(last);
  if (Array.isArray(there)) there.push(value);
  else at.set(last, [value]);
}

/** `a[]=1&a[]=2` and `a[0]=1&a[1]=2` are lists; a name given twice is one, too. */
function harvest(tree: Tree): Strings {
  const keys = [...tree.keys()];
  const values = [...tree.values()].map((value) => (value instanceof Map ? harvest(value) : value.length === 1 ? (value[0] ?? "") : value));
  if (keys.length === 1 && keys[0] === "") {
    const only = tree.get("");
    return Array.isArray(only) ? only : values;
  }
  if (keys.length > 0 && keys.every((key, index) => key === String(index))) return values;
  const object = emptyRecord<Strings>();
  for (const [index, key] of keys.entries()) object[key] = values[index] ?? "";
  return object;
}
