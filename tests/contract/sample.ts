/**
 * Values that a schema should accept, and single changes of them that it should refuse. Both are guesses: the judge
 * decides. Randomness is passed in, so that a seed makes the same requests again.
 */
import { isObject, type Json, type Judge } from "./judge.ts";

export type Random = () => number;

/** A small generator with a seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function pick<T>(random: Random, list: readonly T[]): T | undefined {
  return list[Math.floor(random() * list.length)];
}

function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const levelsMax = 5;

/** A value for a schema, valid as far as that can be had without search. */
export function sample(judge: Judge, schema: unknown, random: Random, letters: string, level = 0): unknown {
  // A schema that requires itself within itself has no finite value.
  if (level > 20) return "too deep";
  const flat = flatten(judge, schema, random);
  if (Array.isArray(flat["enum"])) return pick(random, flat["enum"]);
  if (Object.hasOwn(flat, "const")) return flat["const"];
  const types = Array.isArray(flat["type"]) ? flat["type"].filter((type) => type !== "null") : [flat["type"] ?? guessType(flat)];
  switch (pick(random, types)) {
    case "string":
      return sampleString(flat, random, letters);
    case "integer":
      return sampleNumber(flat, random, true);
    case "number":
      return sampleNumber(flat, random, false);
    case "boolean":
      return random() < 0.5;
    case "array":
      return sampleArray(judge, flat, random, letters, level);
    case "object":
      return sampleObject(judge, flat, random, letters, level);
    case undefined:
      return types.length === 0 ? null : "any";
    default:
      return "any";
  }
}

function guessType(schema: Json): string | undefined {
  if (isObject(schema["properties"]) || schema["additionalProperties"] !== undefined) return "object";
  return schema["items"] === undefined ? undefined : "array";
}

/** A schema with its references followed, `allOf` merged and one alternative chosen. */
function flatten(judge: Judge, schema: unknown, random: Random, hops = 0): Json {
  const own = judge.resolve(schema);
  if (!isObject(own) || hops > 12) return {};
  let out: Json = { ...own };
  if (isObject(schema) && typeof schema["$ref"] === "string" && Object.keys(schema).length > 1) out = merge(out, { ...schema });
  const parts = [
    ...listOf(own["allOf"]),
    ...["oneOf", "anyOf"].flatMap((key) => (listOf(own[key]).length > 0 ? [pick(random, listOf(own[key]))] : [])),
  ];
  for (const part of parts) out = merge(out, flatten(judge, part, random, hops + 1));
  return out;
}

function merge(a: Json, b: Json): Json {
  const out: Json = { ...a, ...b };
  if (isObject(a["properties"]) && isObject(b["properties"])) out["properties"] = { ...a["properties"], ...b["properties"] };
  if (Array.isArray(a["required"]) && Array.isArray(b["required"]))
    out["required"] = [...new Set([...listOf(a["required"]), ...listOf(b["required"])])];
  for (const key of ["allOf", "oneOf", "anyOf", "$ref"]) delete out[key];
  return out;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

const formats: Readonly<Record<string, (random: Random) => string>> = {
  "date-time": (random) => `20${between(random, 10, 29)}-0${between(random, 1, 9)}-1${between(random, 0, 9)}T12:30:45Z`,
  date: (random) => `20${between(random, 10, 29)}-0${between(random, 1, 9)}-1${between(random, 0, 9)}`,
  time: () => "12:30:45Z",
  email: (random) => `user${between(random, 1, 999)}@example.com`,
  uuid: (random) => `0b7c${between(random, 1000, 9999)}-1d2e-4f3a-8b4c-5d6e7f8a9b0c`,
  uri: (random) => `https://example.com/a/${between(random, 1, 999)}`,
  url: (random) => `https://example.com/a/${between(random, 1, 999)}`,
  "uri-reference": () => "/a/b",
  hostname: () => "host.example.com",
  ipv4: () => "192.0.2.7",
  ipv6: () => "2001:db8::7",
  byte: () => "aGVsbG8=",
  duration: () => "P1DT2H",
};

function sampleString(schema: Json, random: Random, letters: string): string {
  const format = formats[String(schema["format"])];
  if (format) return format(random);
  if (typeof schema["pattern"] === "string") return samplePattern(schema["pattern"], random);
  const low = numberOf(schema["minLength"]) ?? 1;
  const high = Math.max(low, Math.min(numberOf(schema["maxLength"]) ?? low + 8, low + 12));
  let text = "";
  const length = between(random, Math.max(low, Math.min(1, high)), high);
  const choice = Array.from(letters);
  for (let at = 0; at < length; at++) text += pick(random, choice) ?? "a";
  return text;
}

/** Enough of regular expressions to meet most patterns of documents: classes, repetition, alternatives without nesting. */
function samplePattern(pattern: string, random: Random): string {
  const body = pattern.replace(/^\^/, "").replace(/\$$/, "");
  const atoms = [...body.matchAll(/(\[(?:\\.|[^\]])+\]|\\.|\((?:[^()])*\)|.)(\{\d+(?:,\d*)?\}|[*+?])?/g)];
  return atoms.map(([, atom = "", times = ""]) => repeat(random, times, () => sampleAtom(atom, random))).join("");
}

function repeat(random: Random, times: string, make: () => string): string {
  const [, low, comma, high] = /\{(\d+)(,?)(\d*)\}/.exec(times) ?? [];
  let count = 1;
  if (low !== undefined) count = comma === "" ? Number(low) : between(random, Number(low), high ? Number(high) : Number(low) + 2);
  else if (times === "*" || times === "+") count = between(random, 1, 3);
  return Array.from({ length: count }, make).join("");
}

function sampleAtom(atom: string, random: Random): string {
  if (atom === "\\d") return String(between(random, 0, 9));
  if (atom === "\\w" || atom === ".") return pick(random, Array.from("abcxyz019")) ?? "a";
  if (atom === "\\s") return " ";
  if (atom.startsWith("\\")) return atom.slice(1);
  if (atom.startsWith("(")) return samplePattern(pick(random, atom.slice(1, -1).replace(/^\?:/, "").split("|")) ?? "", random);
  if (!atom.startsWith("[")) return atom;
  const set = atom.slice(1, -1).replaceAll("\\d", "0-9").replaceAll("\\w", "a-z0-9_").replaceAll("\\s", " ");
  const matches = setOf(set);
  return (
    pick(
      random,
      Array.from("abcdefghijklmnopqrstuvwxyzABCDEFXYZ0123456789-_. ").filter((letter) => matches.test(letter)),
    ) ?? "a"
  );
}

/** A set of letters; sets that are none match all, and the judge decides. */
function setOf(letters: string): RegExp {
  try {
    return new RegExp(`[${letters}]`, "u");
  } catch {
    return /[^]/;
  }
}

function sampleNumber(schema: Json, random: Random, whole: boolean): number {
  const step = numberOf(schema["multipleOf"]) ?? (whole ? 1 : 0.5);
  let low = numberOf(schema["minimum"]) ?? numberOf(schema["exclusiveMinimum"]) ?? Math.min(-5, (numberOf(schema["maximum"]) ?? 0) - 5);
  if (schema["exclusiveMinimum"] === true || typeof schema["exclusiveMinimum"] === "number")
    low = Math.max(low, numberOf(schema["exclusiveMinimum"]) ?? low) + step;
  const limit = Math.min(numberOf(schema["maximum"]) ?? Infinity, numberOf(schema["exclusiveMaximum"]) ?? Infinity, low + 50 * step);
  const strict = schema["exclusiveMaximum"] === true || typeof schema["exclusiveMaximum"] === "number";
  const first = Math.ceil(low / step);
  const last = Math.max(first, Math.floor(limit / step) - (strict ? 1 : 0));
  return Number((between(random, first, Math.min(last, first + 40)) * step).toPrecision(12));
}

function sampleArray(judge: Judge, schema: Json, random: Random, letters: string, level: number): unknown[] {
  const low = numberOf(schema["minItems"]) ?? (level >= levelsMax ? 0 : 1);
  const high = Math.max(low, Math.min(numberOf(schema["maxItems"]) ?? low + 2, low + 3));
  if (level >= levelsMax) return Array.from({ length: low }, () => sample(judge, schema["items"], random, letters, level + 1));
  const items: unknown[] = [];
  for (let tries = 0; items.length < between(random, low, high) && tries < 30; tries++) {
    const item = sample(
      judge,
      Array.isArray(schema["prefixItems"]) ? (schema["prefixItems"][items.length] ?? schema["items"]) : schema["items"],
      random,
      letters,
      level + 1,
    );
    if (schema["uniqueItems"] !== true || !items.some((one) => JSON.stringify(one) === JSON.stringify(item))) items.push(item);
  }
  return items;
}

function sampleObject(judge: Judge, schema: Json, random: Random, letters: string, level: number): Json {
  const out: Json = {};
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"].map(String) : []);
  for (const [name, property] of Object.entries(isObject(schema["properties"]) ? schema["properties"] : {})) {
    const resolved = judge.resolve(property);
    if (isObject(resolved) && resolved["readOnly"] === true) continue;
    if (required.has(name) || (level < levelsMax - 1 && random() < 0.6)) out[name] = sample(judge, property, random, letters, level + 1);
  }
  const others = schema["additionalProperties"];
  if (isObject(others) && level < levelsMax - 1 && random() < 0.5) out["other"] = sample(judge, others, random, letters, level + 1);
  for (const name of required)
    if (out[name] === undefined && !isObject((schema["properties"] as Json | undefined)?.[name])) out[name] = "any";
  return out;
}

/** A single change of a value, and what it breaks. */
export interface Mutation {
  readonly value: unknown;
  readonly why: string;
}

/** Single changes of a value. `textOnly`: the value is written as text, in which any scalar is a string as well. */
export function mutations(judge: Judge, schema: unknown, value: unknown, random: Random, textOnly: boolean, trail = ""): Mutation[] {
  const flat = flatten(judge, schema, random);
  const here = scalarMutations(flat, value, textOnly).map((one) => ({ ...one, why: `${one.why} at ${trail || "the root"}` }));
  if (isObject(value)) return [...here, ...objectMutations(judge, flat, value, random, textOnly, trail)];
  if (!Array.isArray(value)) return here;
  const within =
    value.length === 0
      ? []
      : mutations(judge, flat["items"], value[0], random, textOnly, `${trail}[0]`).map((one) => ({
          ...one,
          value: [one.value, ...listOf(value).slice(1)],
        }));
  return [...here, ...arrayMutations(flat, value, trail), ...within];
}

function scalarMutations(schema: Json, value: unknown, textOnly: boolean): Mutation[] {
  const found: Mutation[] = [];
  const type = Array.isArray(schema["type"]) ? schema["type"].join() : schema["type"];
  if (type === "integer" || type === "number" || type === "boolean") found.push({ value: "wrong-type", why: "wrong type" });
  if (type === "integer") found.push({ value: 1.5, why: "a fraction" });
  if (!textOnly && type === "string") found.push({ value: 12345, why: "wrong type" });
  if (!textOnly && (type === "object" || type === "array")) found.push({ value: "wrong-type", why: "wrong type" });
  if (Array.isArray(schema["enum"]))
    found.push({ value: typeof schema["enum"][0] === "number" ? 987654 : "not-in-the-enum", why: "out of enum" });
  if (typeof value === "number") found.push(...numberMutations(schema));
  if (typeof value === "string") found.push(...stringMutations(schema));
  return found;
}

function numberMutations(schema: Json): Mutation[] {
  const found: Mutation[] = [];
  const low = numberOf(schema["minimum"]) ?? numberOf(schema["exclusiveMinimum"]);
  const high = numberOf(schema["maximum"]) ?? numberOf(schema["exclusiveMaximum"]);
  const step = numberOf(schema["multipleOf"]);
  if (low !== undefined) found.push({ value: low - (step ?? 1), why: "below minimum" });
  if (high !== undefined) found.push({ value: high + (step ?? 1), why: "above maximum" });
  if (step !== undefined) found.push({ value: (Math.ceil(((low ?? 0) + step) / step) + 0.5) * step, why: "no multiple" });
  return found;
}

function stringMutations(schema: Json): Mutation[] {
  const found: Mutation[] = [];
  const low = numberOf(schema["minLength"]);
  const high = numberOf(schema["maxLength"]);
  if (low !== undefined && low > 1) found.push({ value: "a".repeat(low - 1), why: "too short" });
  if (high !== undefined && high < 5000) found.push({ value: "a".repeat(high + 1), why: "too long" });
  if (schema["pattern"] !== undefined) found.push({ value: "~~~~", why: "pattern broken" });
  if (formats[String(schema["format"])]) found.push({ value: "not of that format", why: "bad format" });
  return found;
}

function arrayMutations(schema: Json, value: readonly unknown[], trail: string): Mutation[] {
  const found: Mutation[] = [];
  const low = numberOf(schema["minItems"]) ?? 0;
  const high = numberOf(schema["maxItems"]);
  const at = trail || "the root";
  if (low > 1) found.push({ value: value.slice(0, low - 1), why: `too few items at ${at}` });
  if (high !== undefined && high < 200 && value.length > 0)
    found.push({ value: Array.from({ length: high + 1 }, (_, index) => value[index % value.length]), why: `too many items at ${at}` });
  if (schema["uniqueItems"] === true && value.length > 0) found.push({ value: [...value, value[0]], why: `an item twice at ${at}` });
  return found;
}

function objectMutations(judge: Judge, schema: Json, value: Json, random: Random, textOnly: boolean, trail: string): Mutation[] {
  const found: Mutation[] = [];
  for (const name of Array.isArray(schema["required"]) ? schema["required"].map(String) : []) {
    if (value[name] === undefined) continue;
    const { [name]: _, ...rest } = value;
    if (Object.keys(rest).length > 0 || !textOnly) found.push({ value: rest, why: `${trail}.${name} dropped` });
  }
  if (schema["additionalProperties"] === false)
    found.push({ value: { ...value, unknownProperty: "x" }, why: `an extra property at ${trail || "the root"}` });
  for (const [name, property] of Object.entries(isObject(schema["properties"]) ? schema["properties"] : {})) {
    if (value[name] === undefined) continue;
    const inner = mutations(judge, property, value[name], random, textOnly, `${trail}.${name}`);
    found.push(...inner.map((one) => ({ ...one, value: { ...value, [name]: one.value } })));
  }
  return found;
}
