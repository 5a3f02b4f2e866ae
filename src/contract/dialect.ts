/**
 * From a schema as OpenAPI 3.0 or 3.1 has it to one in JSON Schema 2020-12 that Ajv compiles without complaint. Malformed
 * and unknown keywords are left out instead of failing a request. References become the keys of a pool, so recursion and
 * size do not matter.
 */
import { emptyRecord } from "../core/record.ts";
import { compilePattern, type Documents, type Target } from "./documents.ts";
import { entriesOf, isRecord, listOf, member, type JsonRecord } from "./json.ts";

/** OpenAPI 3.0's schemas are a dialect of draft 4 of its own; 3.1's are JSON Schema 2020-12. */
export type Dialect = "3.0" | "3.1";
/** A request need not hold what is read-only, a reply not what is write-only. */
export type Direction = "request" | "reply";
/**
 * What a converted schema is for: `check` answers yes or no fast, `explain` says what is wrong and tells alternatives
 * apart, `exact` is `explain` for values that hold bigints.
 */
export type Purpose = "check" | "explain" | "exact";

export type Converted = boolean | Record<string, unknown>;

/** Where converted schemas refer to one another. */
export interface Pool {
  /** The key of a schema, which is converted when a value first gets there. */
  key(schema: unknown, optional: ReadonlySet<string>): string;
  /**
   * The same for one that is compiled with its referrer; undefined when that has grown large enough and `key` is to be
   * used.
   */
  keyWithin(schema: unknown, optional: ReadonlySet<string>): string | undefined;
  /** Whether alternatives are left to Ajv, which alone knows what they evaluate of an object (`unevaluatedProperties`). */
  readonly nativeAlternatives: boolean;
}

const jsonTypes = new Set(["null", "boolean", "integer", "number", "string", "array", "object"]);
const none: ReadonlySet<string> = new Set();

type Check = (value: unknown) => boolean;
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isCount: Check = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0;
const isBoolean: Check = (value) => typeof value === "boolean";
const isText: Check = (value) => typeof value === "string";
const isNames: Check = (value) => Array.isArray(value) && value.every(isText);

/** Keywords that are copied as they are when their value is of the right kind. */
const copied: readonly (readonly [string, Check])[] = [
  ["maxLength", isCount],
  ["minLength", isCount],
  ["maxItems", isCount],
  ["minItems", isCount],
  ["maxContains", isCount],
  ["minContains", isCount],
  ["maxProperties", isCount],
  ["minProperties", isCount],
  ["uniqueItems", isBoolean],
  ["$dynamicAnchor", isText],
];
/** The same for those that compare numbers, which go by other names where bigints are about. */
const numeric: readonly (readonly [string, Check])[] = [
  ["multipleOf", (value) => isNumber(value) && Number(value) > 0],
  ["maximum", isNumber],
  ["minimum", isNumber],
  ["exclusiveMaximum", isNumber],
  ["exclusiveMinimum", isNumber],
];

export class Converter {
  readonly #documents: Documents;
  readonly #dialect: Dialect;
  readonly #hidden: "readOnly" | "writeOnly";
  readonly #purpose: Purpose;
  readonly #pool: Pool;

  constructor(documents: Documents, dialect: Dialect, direction: Direction, purpose: Purpose, pool: Pool) {
    this.#documents = documents;
    this.#dialect = dialect;
    this.#hidden = direction === "request" ? "readOnly" : "writeOnly";
    this.#purpose = purpose;
    this.#pool = pool;
  }

  /**
   * Converts one schema. `optional` names properties that need not be there, whatever `required` says: those that
   * another part of the same `allOf` declares read-only.
   */
  convert(schema: unknown, optional: ReadonlySet<string> = none): Converted {
    if (typeof schema === "boolean") return schema;
    if (!isRecord(schema)) return true;
    const target = this.#documents.target(schema);
    if (target && this.#dialect === "3.0") return this.#reference(target, optional);
    const names = this.#optionalIn(schema, optional);
    const out: Record<string, unknown> = {};
    if (target) Object.assign(out, this.#reference(target, names));
    this.#copy(schema, out);
    this.#types(schema, out);
    this.#numbers(schema, out);
    this.#strings(schema, out);
    this.#objects(schema, out, names);
    this.#arrays(schema, out);
    this.#combinations(schema, out, names);
    return this.#nullable(schema, out);
  }

  #child(schema: unknown): Converted {
    return this.convert(schema);
  }

  #reference(target: Target, optional: ReadonlySet<string>): Record<string, unknown> {
    const key = this.#pool.keyWithin(target.value, optional);
    return key === undefined ? { deferred: this.#pool.key(target.value, optional) } : { $ref: key };
  }

  #copy(schema: JsonRecord, out: Record<string, unknown>): void {
    for (const [keyword, check] of copied) if (check(schema[keyword])) out[keyword] = schema[keyword];
    const dynamic = schema["$dynamicRef"];
    if (typeof dynamic === "string" && dynamic.startsWith("#")) out["$dynamicRef"] = dynamic;
  }

  #types(schema: JsonRecord, out: Record<string, unknown>): void {
    const given = schema["type"];
    const types = [
      ...new Set(
        (Array.isArray(given) ? given : [given]).filter((type): type is string => typeof type === "string" && jsonTypes.has(type)),
      ),
    ];
    if (types.length > 0) {
      if (schema["nullable"] === true && this.#dialect === "3.0" && !types.includes("null")) types.push("null");
      const keyword = this.#purpose === "exact" && types.some((type) => type === "integer" || type === "number") ? "exactType" : "type";
      out[keyword] = types.length === 1 && keyword === "type" ? types[0] : types;
    }
    const allowed = schema["enum"];
    if (Array.isArray(allowed) && allowed.length > 0) out[allowed.some(isStructure) ? "equalsOneOf" : "enum"] = allowed;
    if (Object.hasOwn(schema, "const")) out[isStructure(schema["const"]) ? "equals" : "const"] = schema["const"];
  }

  #numbers(schema: JsonRecord, out: Record<string, unknown>): void {
    const limits: Record<string, unknown> = {};
    for (const [keyword, check] of numeric) if (check(schema[keyword])) limits[keyword] = schema[keyword];
    // OpenAPI 3.0 has them as booleans that sharpen the limit beside them.
    for (const [flag, limit] of [
      ["exclusiveMaximum", "maximum"],
      ["exclusiveMinimum", "minimum"],
    ] as const) {
      if (schema[flag] !== true || limits[limit] === undefined) continue;
      limits[flag] = limits[limit];
      delete limits[limit];
    }
    for (const [keyword, value] of Object.entries(limits)) out[this.#purpose === "exact" ? exactKeyword(keyword) : keyword] = value;
  }

  #strings(schema: JsonRecord, out: Record<string, unknown>): void {
    const { pattern, format } = schema;
    if (typeof pattern === "string" && compilePattern(pattern)) out["pattern"] = pattern;
    if (typeof format !== "string") return;
    if (this.#purpose === "exact" && (format === "int32" || format === "int64")) out["exactFormat"] = format;
    else out["format"] = format;
  }

  #objects(schema: JsonRecord, out: Record<string, unknown>, optional: ReadonlySet<string>): void {
    const { required, properties, patternProperties, dependentRequired, dependentSchemas, dependencies } = schema;
    if (Array.isArray(required)) {
      const names = [...new Set(required.filter((name): name is string => typeof name === "string" && !optional.has(name)))];
      if (names.length > 0) out["required"] = names;
    }
    if (isRecord(properties)) out["properties"] = this.#map(properties);
    if (isRecord(patternProperties))
      out["patternProperties"] = this.#map(patternProperties, (pattern) => compilePattern(pattern) !== undefined);
    if (isRecord(dependentRequired))
      out["dependentRequired"] = Object.fromEntries(entriesOf(dependentRequired).filter(([, names]) => isNames(names)));
    if (isRecord(dependentSchemas)) out["dependentSchemas"] = this.#map(dependentSchemas);
    if (isRecord(dependencies)) this.#dependencies(dependencies, out);
    this.#schemaKeywords(schema, out, ["propertyNames", "unevaluatedProperties", "additionalProperties"]);
  }

  /** Draft 7's `dependencies`, still met in documents. */
  #dependencies(dependencies: JsonRecord, out: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(dependencies)) {
      const keyword = isNames(value) ? "dependentRequired" : "dependentSchemas";
      out[keyword] = { ...(isRecord(out[keyword]) ? out[keyword] : {}), [name]: isNames(value) ? value : this.#child(value) };
    }
  }

  #arrays(schema: JsonRecord, out: Record<string, unknown>): void {
    const { items, prefixItems } = schema;
    if (Array.isArray(items)) {
      // A tuple in the way of drafts before 2020-12.
      if (items.length > 0) out["prefixItems"] = items.map((item) => this.#child(item));
      if (schema["additionalItems"] !== undefined) out["items"] = this.#child(schema["additionalItems"]);
    } else {
      if (Array.isArray(prefixItems) && prefixItems.length > 0) out["prefixItems"] = prefixItems.map((item) => this.#child(item));
      this.#schemaKeywords(schema, out, ["items"]);
    }
    this.#schemaKeywords(schema, out, ["contains", "unevaluatedItems"]);
    if (out["contains"] === undefined) {
      delete out["minContains"];
      delete out["maxContains"];
    }
  }

  #combinations(schema: JsonRecord, out: Record<string, unknown>, optional: ReadonlySet<string>): void {
    const all = listOf(schema["allOf"]).map((part) => this.convert(part, optional));
    if (all.length > 0) out["allOf"] = all;
    this.#alternatives("anyOf", schema, out, optional);
    this.#alternatives("oneOf", schema, out, optional);
    for (const keyword of ["not", "if", "then", "else"]) {
      if (isRecord(schema[keyword]) || typeof schema[keyword] === "boolean")
        out[keyword] = this.convert(schema[keyword], keyword === "not" || keyword === "if" ? none : optional);
    }
    if (out["if"] === undefined) {
      delete out["then"];
      delete out["else"];
    }
  }

  #alternatives(keyword: "oneOf" | "anyOf", schema: JsonRecord, out: Record<string, unknown>, optional: ReadonlySet<string>): void {
    const branches = listOf(schema[keyword]);
    if (branches.length === 0) return;
    const discriminator = this.#discriminator(schema, branches);
    if (this.#purpose === "check" || this.#pool.nativeAlternatives) {
      const converted = branches.map((branch) => this.convert(branch, optional));
      if (keyword === "oneOf" && discriminator) out["anyOf"] = [...listOf(out["anyOf"]), ...discriminated(converted, discriminator)];
      else out[keyword] = converted;
      if (keyword === "oneOf" && discriminator && schema["anyOf"] !== undefined) separate(schema, out, converted, discriminator);
      return;
    }
    const keys = branches.map((branch) => this.#pool.key(branch, optional));
    out[keyword === "oneOf" ? "alternativesOne" : "alternativesAny"] = { keys, ...(discriminator ? { discriminator } : {}) };
  }

  /** Which values of the discriminating property name which branch. */
  #discriminator(schema: JsonRecord, branches: readonly unknown[]): Discriminator | undefined {
    const property = member(schema["discriminator"], "propertyName");
    if (typeof property !== "string") return undefined;
    const names = branches.map((branch) => (isRecord(branch) ? this.#documents.target(branch)?.name : undefined));
    const mapping = entriesOf(member(schema["discriminator"], "mapping"));
    const values = names.map((name) => (name === undefined ? [] : valuesNaming(name, mapping)));
    return { property, values };
  }

  #nullable(schema: JsonRecord, out: Record<string, unknown>): Converted {
    if (this.#dialect !== "3.0" || schema["nullable"] !== true || schema["type"] !== undefined) return out;
    if (
      out["allOf"] === undefined &&
      out["oneOf"] === undefined &&
      out["anyOf"] === undefined &&
      out["alternativesOne"] === undefined &&
      out["alternativesAny"] === undefined
    )
      return out;
    return { anyOf: [{ type: "null" }, out] };
  }

  #schemaKeywords(schema: JsonRecord, out: Record<string, unknown>, keywords: readonly string[]): void {
    for (const keyword of keywords) {
      const value = schema[keyword];
      if (isRecord(value) || typeof value === "boolean") out[keyword] = this.#child(value);
    }
  }

  #map(schemas: JsonRecord, accepts: (name: string) => boolean = () => true): Record<string, Converted> {
    const out = emptyRecord<Converted>();
    for (const [name, schema] of Object.entries(schemas)) if (accepts(name)) out[name] = this.#child(schema);
    return out;
  }

  /** Names of properties that are hidden in this direction: of the schema itself and of all that it is composed of. */
  #optionalIn(schema: JsonRecord, inherited: ReadonlySet<string>): ReadonlySet<string> {
    const names = new Set(inherited);
    this.#collectHidden(schema, names, new Set());
    return names.size === 0 ? none : names;
  }

  #collectHidden(schema: unknown, names: Set<string>, seen: Set<unknown>): void {
    if (!isRecord(schema) || seen.has(schema)) return;
    seen.add(schema);
    for (const [name, property] of entriesOf(schema["properties"])) {
      if (member(property, this.#hidden) === true || member(this.#documents.resolve(property), this.#hidden) === true) names.add(name);
    }
    this.#collectHidden(this.#documents.target(schema)?.value, names, seen);
    for (const part of listOf(schema["allOf"])) this.#collectHidden(part, names, seen);
  }
}

export interface Discriminator {
  readonly property: string;
  /** For each branch the values that name it. */
  readonly values: readonly (readonly string[])[];
}

/** `oneOf` in which a value that several branches accept is settled by the discriminating property. */
function discriminated(branches: readonly Converted[], { property, values }: Discriminator): Converted[] {
  const named = branches.flatMap((branch, index) => {
    const names = values[index] ?? [];
    return names.length === 0 ? [] : [{ required: [property], properties: { [property]: { enum: names } }, allOf: [branch] }];
  });
  return [{ oneOf: branches }, ...named];
}

/** Beside an `anyOf` of the schema's own, the settled `oneOf` needs a place of its own. */
function separate(schema: JsonRecord, out: Record<string, unknown>, branches: readonly Converted[], discriminator: Discriminator): void {
  const own = listOf(out["anyOf"]).slice(0, listOf(schema["anyOf"]).length);
  out["anyOf"] = own;
  out["allOf"] = [...listOf(out["allOf"]), { anyOf: discriminated(branches, discriminator) }];
}

function valuesNaming(name: string, mapping: readonly (readonly [string, unknown])[]): string[] {
  const mapped = mapping.filter(([, target]) => typeof target === "string" && lastSegment(target) === name).map(([value]) => value);
  return [...new Set([...mapped, name])];
}

function lastSegment(reference: string): string {
  return reference.slice(Math.max(reference.lastIndexOf("/"), reference.lastIndexOf("#")) + 1).replace(/\.(json|ya?ml)$/i, "");
}

/** The name by which a numeric keyword goes where numbers may be bigints: "minimum" → "exactMinimum". */
export function exactKeyword(keyword: string): string {
  return `exact${keyword[0]?.toUpperCase()}${keyword.slice(1)}`;
}

function isStructure(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
