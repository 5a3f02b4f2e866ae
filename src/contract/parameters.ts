/**
 * The parameters of an operation: declared once, merged from path and operation, and read from each request.
 */
import { emptyRecord } from "../core/record.ts";
import type { HeaderReader, LocatedParameters, RequestParts, Violation } from "./contract.ts";
import type { Direction } from "./dialect.ts";
import type { Documents } from "./documents.ts";
import { entriesOf, isRecord, listOf, member, type JsonRecord } from "./json.ts";
import { formatOf, parseMediaType } from "./media-type.ts";
import { findPairs, findText, type Found, type Notation } from "./notation.ts";
import { decodeForm, decodePercent, readCookies, readPairs, type Pair } from "./query.ts";
import { Shape } from "./shape.ts";
import { styles, type Strings, type Style } from "./styles.ts";
import { holdsBigint, typed, writable } from "./typed.ts";
import { violationsOf, type Origin } from "./violations.ts";
import type { Checker, Validators, Verdict } from "./validators.ts";

export type Location = "path" | "query" | "header" | "cookie";
const locations: readonly string[] = ["path", "query", "header", "cookie"];

/** Header parameters that OpenAPI describes elsewhere and tells us to ignore (§4.7.12.1). */
const ignoredHeaders = new Set(["accept", "content-type", "authorization"]);

export interface Parameter extends Notation {
  readonly in: Location;
  readonly required: boolean;
  /** Undefined: anything will do. */
  readonly checker: Checker | undefined;
  readonly fallback: unknown;
  /** As it is looked up: a header's name in lower case. */
  readonly key: string;
  /** Whether text may stand for a string and for something else. */
  readonly ambiguous: boolean;
  /** Plain text of one type, as most are: read without looking for other notations. */
  readonly plain: boolean;
}

/** The parameters of an operation: its own, and of its path those that it does not declare itself. */
export function declareParameters(
  documents: Documents,
  validators: Validators,
  pathItem: unknown,
  operation: unknown,
  templateNames: readonly string[],
): readonly Parameter[] {
  const byKey = new Map<string, JsonRecord>();
  for (const holder of [pathItem, operation]) {
    for (const entry of listOf(member(holder, "parameters"))) {
      const parameter = documents.resolve(entry);
      if (!isRecord(parameter)) continue;
      const { name, in: place } = parameter;
      if (typeof name !== "string" || typeof place !== "string" || !locations.includes(place)) continue;
      if (place === "header" && (ignoredHeaders.has(name.toLowerCase()) || !isHeaderName(name))) continue;
      byKey.set(`${place} ${place === "header" ? name.toLowerCase() : name}`, parameter);
    }
  }
  // Names of the template that nobody declared are text.
  for (const name of templateNames) if (!byKey.has(`path ${name}`)) byKey.set(`path ${name}`, { name, in: "path" });
  return [...byKey.values()]
    .filter((one) => one["in"] !== "path" || templateNames.includes(String(one["name"])))
    .map((one) => declare(documents, validators, one, "request"));
}

/** Whether a header can have such a name (RFC 9110 §5.6.2); `Headers` throws at others. */
export function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name);
}

/** A header of a response, which is written as a header parameter is. */
export function declareHeader(documents: Documents, validators: Validators, name: string, header: unknown): Parameter {
  const declared = documents.resolve(header);
  return declare(documents, validators, { ...(isRecord(declared) ? declared : {}), name, in: "header", style: "simple" }, "reply");
}

/** What is wrong with a response's header. */
export function readHeader(parameter: Parameter, headers: HeaderReader): Violation[] {
  const raw = headers.get(parameter.key) ?? undefined;
  const found = findText(parameter, raw, (text) => text.trim(), decodePercent);
  return [...(judgeFound(parameter, found, true).violations ?? [])];
}

function declare(documents: Documents, validators: Validators, parameter: JsonRecord, direction: Direction): Parameter {
  const place = parameter["in"] as Location;
  const [mediaType, media] = entriesOf(parameter["content"])[0] ?? [];
  const schema = mediaType === undefined ? parameter["schema"] : member(documents.resolve(media), "schema");
  const style = styleOf(parameter["style"], place);
  const essence = mediaType === undefined ? undefined : parseMediaType(mediaType)?.essence;
  const shape = new Shape(documents, schema === undefined ? [] : [schema]);
  const name = String(parameter["name"]);
  const content = mediaType === undefined ? undefined : essence !== undefined && formatOf(essence) === "json" ? "json" : "text";
  return {
    name,
    key: place === "header" ? name.toLowerCase() : name,
    in: place,
    required: place === "path" || parameter["required"] === true,
    allowEmptyValue: place === "query" && parameter["allowEmptyValue"] === true,
    style,
    explode: typeof parameter["explode"] === "boolean" ? parameter["explode"] : style === "form" || style === "deepObject",
    shape,
    checker: schema === undefined || schema === true ? undefined : validators.checker(schema, direction),
    content,
    fallback: shape.keyword("default"),
    ambiguous: isAmbiguous(shape),
    plain: content === undefined && (style === "simple" || style === "form") && isPlain(shape),
  };
}

function styleOf(given: unknown, place: Location): Style {
  const style = styles.find((one) => one === given);
  return style ?? (place === "query" || place === "cookie" ? "form" : "simple");
}

/** What was read of a request's parameters. */
export interface ReadParameters {
  /** Path and query parameters by name. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly located: LocatedParameters;
  readonly violations: readonly Violation[];
}

const noValues: Readonly<Record<string, unknown>> = Object.freeze(emptyRecord());
/** Where nothing is declared nothing is made. */
const nothing: ReadParameters = {
  values: noValues,
  located: { path: noValues, query: noValues, header: noValues, cookie: noValues },
  violations: [],
};

/** The parameters of one operation, ready to be read. */
export class ParameterSet {
  readonly #parameters: readonly Parameter[];
  readonly #declares: Readonly<Record<Location, boolean>>;
  /** Query names that a parameter of its own has: not properties of an exploded object. */
  readonly #claimed: ReadonlySet<string>;

  constructor(parameters: readonly Parameter[]) {
    const declares = (place: Location): boolean => parameters.some((one) => one.in === place);
    this.#parameters = parameters;
    this.#declares = { path: declares("path"), query: declares("query"), header: declares("header"), cookie: declares("cookie") };
    this.#claimed = new Set(parameters.filter((one) => one.in === "query").map((one) => one.name));
  }

  /** Reads them all. Without `validate` only what cannot be read at all is a violation. */
  read(request: RequestParts, validate: boolean): ReadParameters {
    if (this.#parameters.length === 0) return nothing;
    const query = this.#declares.query ? readPairs(request.query) : noPairs;
    if (!query.ok) return { ...nothing, violations: [{ in: "query", path: "", message: query.message }] };
    const source: Source = {
      request,
      query: query.pairs,
      cookies: this.#declares.cookie ? readCookies(request.headers.get("cookie") ?? "") : [],
      claimed: this.#claimed,
    };
    const located = this.#places();
    let violations: Violation[] | undefined;
    for (const parameter of this.#parameters) {
      const outcome = judgeFound(parameter, find(parameter, source), validate);
      if (outcome.violations) violations = [...(violations ?? []), ...outcome.violations];
      else if (outcome.value !== undefined) located[parameter.in][parameter.key] = outcome.value;
    }
    return { values: this.#values(located), located, violations: violations ?? nothing.violations };
  }

  /** An object where something is declared; elsewhere the one that stays empty. */
  #places(): Record<Location, Record<string, unknown>> {
    const { path, query, header, cookie } = this.#declares;
    return { path: valuesIf(path), query: valuesIf(query), header: valuesIf(header), cookie: valuesIf(cookie) };
  }

  /** Path and query parameters together; a name in both is the one of the query. */
  #values({ path, query }: LocatedParameters): Readonly<Record<string, unknown>> {
    if (!this.#declares.query) return path;
    return this.#declares.path ? Object.assign(emptyRecord(), path, query) : query;
  }
}

const valuesIf = (declared: boolean): Record<string, unknown> => (declared ? emptyRecord() : noValues);
const noPairs = readPairs("");

interface Source {
  readonly request: RequestParts;
  readonly query: readonly Pair[];
  readonly cookies: readonly Pair[];
  readonly claimed: ReadonlySet<string>;
}

interface Outcome {
  readonly value?: unknown;
  readonly violations?: readonly Violation[];
}

function judgeFound(parameter: Parameter, found: Found, validate: boolean): Outcome {
  const origin: Origin = { in: parameter.in, root: parameter.name };
  const fault = (message: string): Outcome => ({ violations: [{ in: parameter.in, path: parameter.name, message }] });
  if (found.kind === "fault") return fault(found.message);
  if (found.kind === "empty") return { value: "" };
  if (found.kind === "absent") {
    if (parameter.required && validate) return fault("is required");
    return parameter.fallback === undefined ? {} : { value: parameter.fallback };
  }
  if (parameter.plain && found.readings.length === 1) {
    const value = typed(found.readings[0] ?? "", parameter.shape, "typed");
    if (typeof value !== "bigint" && (!validate || parameter.checker?.accepts(value) !== false)) return { value };
  }
  const candidates = candidatesOf(parameter, found.readings);
  if (!candidates.ok) return fault(candidates.message);
  return choose(parameter, candidates.values, origin, validate);
}

/** The first candidate that is valid, or what is wrong with the first. */
function choose(parameter: Parameter, candidates: readonly unknown[], origin: Origin, validate: boolean): Outcome {
  const [first] = candidates;
  const { checker } = parameter;
  if (!checker || (!validate && candidates.length === 1)) return { value: writable(first) };
  let verdict: Verdict | undefined;
  for (const candidate of candidates) {
    const judged = checker.judge(candidate, { exact: holdsBigint(candidate) });
    if (judged !== "too-deep" && judged.length === 0) return { value: writable(candidate) };
    verdict ??= judged;
  }
  return validate && verdict ? { violations: violationsOf(verdict, first, origin) } : { value: writable(first) };
}

type Candidates = { readonly ok: true; readonly values: readonly unknown[] } | { readonly ok: false; readonly message: string };

/** Values that the readings may stand for, the likeliest first. */
function candidatesOf(parameter: Parameter, readings: readonly Strings[]): Candidates {
  if (parameter.content === "json") return jsonCandidate(readings[0]);
  const values: unknown[] = [];
  for (const reading of readings) {
    values.push(typed(reading, parameter.shape, "typed"));
    if (parameter.ambiguous) values.push(typed(reading, parameter.shape, "text"));
  }
  return { ok: true, values };
}

function jsonCandidate(text: Strings | undefined): Candidates {
  try {
    return { ok: true, values: [JSON.parse(typeof text === "string" ? text : "")] };
  } catch (error) {
    return { ok: false, message: `must be JSON: ${error instanceof Error ? error.message : "cannot be parsed"}` };
  }
}

/** One type of text, number or boolean: nothing that could be written in another way. */
function isPlain({ types }: Shape): boolean {
  if (types?.size !== 1) return false;
  return types.has("string") || types.has("integer") || types.has("number") || types.has("boolean");
}

/** Whether text may stand for a string and for something else; lists and objects may hold such. */
function isAmbiguous(shape: Shape): boolean {
  return !shape.types || shape.types.size > 1 || shape.wants("array") || shape.wants("object");
}

function find(parameter: Parameter, source: Source): Found {
  switch (parameter.in) {
    case "path":
      return findText(parameter, source.request.pathParameters[parameter.name], decodePercent);
    case "header":
      return findText(parameter, source.request.headers.get(parameter.key) ?? undefined, (text) => text.trim(), decodePercent);
    case "query":
      return findPairs(parameter, source.query, source.claimed, decodeForm);
    case "cookie":
      return findPairs(parameter, cookiePairs(parameter, source.cookies), new Set(), (text) => decodePercent(text) ?? text);
  }
}

/** An exploded list in a cookie is written as in a query, within one cookie: `a=1&a=2`. */
function cookiePairs(parameter: Parameter, cookies: readonly Pair[]): readonly Pair[] {
  if (!parameter.explode || !cookies.some((pair) => pair.name === parameter.name && pair.raw.includes("&"))) return cookies;
  return cookies.flatMap((pair) => {
    const read = pair.name === parameter.name ? readPairs(`${pair.name}=${pair.raw}`) : undefined;
    return read?.ok ? read.pairs : [pair];
  });
}
