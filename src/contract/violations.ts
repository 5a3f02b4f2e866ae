/**
 * From a validator's errors to sentences for the users of an API: where, what it must be, what it was. Values are shown
 * only when they are short.
 */
import type { ErrorObject } from "ajv";
import type { Violation } from "./contract.ts";
import { follow, listOf, pathText, trailThrough, type JsonTrail } from "./json.ts";
import { typeOf } from "./shape.ts";
import type { Verdict } from "./validators.ts";

/** Violations told of one request or reply, at the most. */
export const violationsMax = 100;
const shownValueLengthMax = 60;
const shownChoicesMax = 20;
const shownChoicesLengthMax = 300;
const shownPathLengthMax = 300;

/** What a value was read from. */
export interface Origin {
  readonly in: Violation["in"];
  /** "$" for a body, a parameter's name otherwise. */
  readonly root: string;
}

/** The violations of a verdict. */
export function violationsOf(verdict: Verdict, value: unknown, origin: Origin): Violation[] {
  if (verdict === "too-deep") return [{ in: origin.in, path: origin.root, message: "is nested too deeply" }];
  const told: Violation[] = [];
  const seen = new Set<string>();
  const named = new Set(verdict.filter((error) => error.keyword === "propertyNames").map((error) => error.instancePath));
  for (const error of verdict) {
    if (told.length >= violationsMax) break;
    if (error.keyword === "if" || isNoise(error, verdict)) continue;
    if (error.propertyName !== undefined && error.keyword !== "propertyNames" && named.has(error.instancePath)) continue;
    const violation = toViolation(error, value, origin);
    const key = `${violation.path}\n${violation.message}`;
    if (!seen.has(key)) told.push(violation);
    seen.add(key);
  }
  return told;
}

/** `anyOf` of "null or this" is an artefact of nullable: its own fault says enough. */
function isNoise(error: ErrorObject, all: readonly ErrorObject[]): boolean {
  if (error.keyword === "anyOf") return all.some((other) => other !== error && other.instancePath.startsWith(error.instancePath));
  if (
    error.keyword !== "type" ||
    error.params["type"] !== "null" ||
    error.schemaPath === undefined ||
    !error.schemaPath.includes("/anyOf/")
  )
    return false;
  return all.some((other) => other !== error && other.keyword !== "anyOf" && other.instancePath.startsWith(error.instancePath));
}

/** A violation at a part of the origin's value. */
export function violationAt(origin: Origin, trail: JsonTrail, message: string): Violation {
  const path = `${origin.root}${pathText(trail)}`;
  return { in: origin.in, path: path.length > shownPathLengthMax ? `${path.slice(0, shownPathLengthMax)}…` : path, message };
}

function toViolation(error: ErrorObject, root: unknown, origin: Origin): Violation {
  const trail = trailThrough(root, error.instancePath);
  const params: Readonly<Record<string, unknown>> = error.params;
  const missing = params["missingProperty"];
  if (error.keyword === "required" && typeof missing === "string") return violationAt(origin, [...trail, missing], "is required");
  if (error.keyword === "dependentRequired" && typeof missing === "string")
    return violationAt(origin, [...trail, missing], `is required where ${show(params["property"])} is given`);
  const extra = params["additionalProperty"] ?? params["unevaluatedProperty"];
  if (typeof extra === "string") return violationAt(origin, [...trail, extra], "is not allowed: the contract has no such property");
  return violationAt(origin, trail, describe(error.keyword, params, follow(root, trail)));
}

type Describe = (params: Readonly<Record<string, unknown>>, value: unknown) => string;

const articles: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  integer: "an integer",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  null: "null",
};

const descriptions: Readonly<Record<string, Describe>> = {
  type: ({ type }, value) =>
    `must be ${list((Array.isArray(type) ? type : [type]).map((one) => articles[String(one)] ?? String(one)))}, got ${got(value)}`,
  enum: ({ allowedValues }, value) => `must be ${choices(listOf(allowedValues))}, got ${got(value)}`,
  const: ({ allowedValue }, value) => `must be ${show(allowedValue)}, got ${got(value)}`,
  minLength: ({ limit }, value) => `must have at least ${count(limit, "character")}, has ${lengthOf(value)}`,
  maxLength: ({ limit }, value) => `must have at most ${count(limit, "character")}, has ${lengthOf(value)}`,
  minItems: ({ limit }, value) => `must have at least ${count(limit, "item")}, has ${listOf(value).length}`,
  maxItems: ({ limit }, value) => `must have at most ${count(limit, "item")}, has ${listOf(value).length}`,
  minProperties: ({ limit }) => `must have at least ${count(limit, "property", "properties")}`,
  maxProperties: ({ limit }) => `must have at most ${count(limit, "property", "properties")}`,
  minimum: ({ limit }, value) => `must be at least ${String(limit)}, got ${got(value)}`,
  maximum: ({ limit }, value) => `must be at most ${String(limit)}, got ${got(value)}`,
  exclusiveMinimum: ({ limit }, value) => `must be more than ${String(limit)}, got ${got(value)}`,
  exclusiveMaximum: ({ limit }, value) => `must be less than ${String(limit)}, got ${got(value)}`,
  multipleOf: ({ multipleOf, limit }, value) => `must be a multiple of ${String(multipleOf ?? limit)}, got ${got(value)}`,
  pattern: ({ pattern }, value) => `must match the pattern ${cut(String(pattern), 200)}, got ${got(value)}`,
  format: ({ format }, value) => `must have the format ${show(format)}, got ${got(value)}`,
  uniqueItems: ({ i, j }) => `must not hold the same item twice: items ${String(i)} and ${String(j)} are equal`,
  contains: ({ minContains, maxContains }) =>
    maxContains === undefined
      ? `must contain at least ${count(minContains ?? 1, "item")} of the kind asked for`
      : `must contain between ${show(minContains)} and ${show(maxContains)} items of the kind asked for`,
  unevaluatedItems: ({ len }) => `must have at most ${count(len, "item")}`,
  items: ({ limit }) => `must have at most ${count(limit, "item")}`,
  propertyNames: ({ propertyName }) => `must not have a property named ${show(propertyName)}`,
  not: () => "must not be what the contract excludes",
  oneOf: ({ passingSchemas }) =>
    passingSchemas
      ? "must match exactly one of the contract's alternatives, matches several"
      : "must match exactly one of the contract's alternatives, matches none",
  anyOf: () => "must match one of the contract's alternatives",
  "false schema": () => "is not allowed",
};

function describe(keyword: string, params: Readonly<Record<string, unknown>>, value: unknown): string {
  const plain = keyword.startsWith("exact") ? `${keyword[5]?.toLowerCase()}${keyword.slice(6)}` : keyword;
  return descriptions[plain]?.(params, value) ?? `breaks the contract's rule ${show(plain)}`;
}

/** A value in words: short scalars as they are, everything else by its type. */
export function got(value: unknown): string {
  const type = typeOf(value);
  if (value === undefined) return "nothing";
  if (type === "array") return "an array";
  if (type === "object") return "an object";
  if (type === "null") return "null";
  if (type === "string") return `the string ${show(value)}`;
  return `${type === "boolean" ? "" : "the number "}${show(value)}`;
}

function show(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  return cut(JSON.stringify(value) ?? String(value), shownValueLengthMax);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function choices(values: readonly unknown[]): string {
  const shown = values.slice(0, shownChoicesMax).map(show);
  const text = cut(shown.join(", "), shownChoicesLengthMax);
  const more = values.length > shownChoicesMax ? `, or ${values.length - shownChoicesMax} others` : "";
  return values.length === 1 ? text : `one of ${text}${more}`;
}

function list(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function count(limit: unknown, one: string, many = `${one}s`): string {
  return `${String(limit)} ${limit === 1 ? one : many}`;
}

function lengthOf(value: unknown): number {
  return typeof value === "string" ? Array.from(value.slice(0, 1_000_000)).length : 0;
}
