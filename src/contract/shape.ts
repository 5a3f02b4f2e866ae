/**
 * What values a schema is after, seen from far enough to read text by: types, properties, items. It looks through
 * `$ref`, `allOf`, `oneOf`, `anyOf` and conditions. It never decides whether a value is valid; the validator does.
 */
import type { Documents } from "./documents.ts";
import { entriesOf, isRecord, listOf, member, textOf, type JsonRecord } from "./json.ts";

export type JsonType = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";
const jsonTypes: ReadonlySet<string> = new Set(["null", "boolean", "integer", "number", "string", "array", "object"]);

function isJsonType(value: unknown): value is JsonType {
  return typeof value === "string" && jsonTypes.has(value);
}

/** Schemas that are looked at for one shape, at the most. */
const schemasMax = 500;

/** One level of one or more schemas that describe the same value. */
export class Shape {
  readonly #documents: Documents;
  /** Every schema that speaks of the value. */
  readonly #schemas: readonly JsonRecord[];
  /** The types the value may have; undefined: any. */
  readonly types: ReadonlySet<JsonType> | undefined;
  readonly #properties = new Map<string, Shape | undefined>();
  #items: Shape | undefined;

  constructor(documents: Documents, schemas: readonly unknown[]) {
    this.#documents = documents;
    const flat = new Set<JsonRecord>();
    for (const schema of schemas) flatten(documents, schema, flat);
    this.#schemas = [...flat];
    this.types = unionOfTypes(documents, schemas);
  }

  /** Whether a value of that type is asked for by name. */
  wants(type: JsonType): boolean {
    return this.types?.has(type) ?? false;
  }

  /** The names of all declared properties. */
  propertyNames(): readonly string[] {
    const names = new Set<string>();
    for (const schema of this.#schemas) for (const [name] of entriesOf(schema["properties"])) names.add(name);
    return [...names];
  }

  /** A declared property's shape, or what undeclared ones of that name should look like; undefined when nothing is said. */
  property(name: string): Shape | undefined {
    if (this.#properties.has(name)) return this.#properties.get(name);
    const schemas = this.#schemas.map((schema) => member(schema["properties"], name)).filter((schema) => schema !== undefined);
    const found = schemas.length > 0 ? new Shape(this.#documents, schemas) : this.#additional();
    // Undeclared names come from requests: they are not remembered, so that requests cannot make this grow.
    if (schemas.length > 0) this.#properties.set(name, found);
    return found;
  }

  declares(name: string): boolean {
    return this.#schemas.some((schema) => member(schema["properties"], name) !== undefined);
  }

  #additional(): Shape | undefined {
    const schemas = this.#schemas
      .flatMap((schema) => [schema["additionalProperties"], ...entriesOf(schema["patternProperties"]).map(([, value]) => value)])
      .filter(isRecord);
    return schemas.length > 0 ? new Shape(this.#documents, schemas) : undefined;
  }

  /** Whether the schema says anything of properties that it does not name. */
  get speaksOfOthers(): boolean {
    return this.#schemas.some((schema) => schema["additionalProperties"] !== undefined || schema["patternProperties"] !== undefined);
  }

  get items(): Shape {
    this.#items ??= new Shape(
      this.#documents,
      this.#schemas
        .flatMap((schema) => [
          ...listOf(schema["prefixItems"]),
          ...(Array.isArray(schema["items"]) ? listOf(schema["items"]) : [schema["items"]]),
        ])
        .filter(isRecord),
    );
    return this.#items;
  }

  /** The shape of the item at an index: its own where the schema has a tuple. */
  item(index: number): Shape {
    const own = this.#schemas.map((schema) => listOf(schema["prefixItems"])[index]).filter(isRecord);
    return own.length > 0 ? new Shape(this.#documents, own) : this.items;
  }

  /** A keyword's first value among the schemas. */
  keyword(name: string): unknown {
    return this.#schemas.find((schema) => schema[name] !== undefined)?.[name];
  }

  get format(): string | undefined {
    return textOf(this.keyword("format"));
  }

  /** Whether the value is bytes: `format: binary`, or `contentMediaType` of something that is not text. */
  get isBinary(): boolean {
    if (this.format === "binary") return true;
    const media = textOf(this.keyword("contentMediaType"));
    return media !== undefined && this.keyword("contentEncoding") === undefined && !/^text\/|json|xml/.test(media);
  }
}

function flatten(documents: Documents, schema: unknown, into: Set<JsonRecord>): void {
  if (!isRecord(schema) || into.has(schema) || into.size >= schemasMax) return;
  into.add(schema);
  const target = documents.target(schema);
  if (target) flatten(documents, target.value, into);
  for (const key of ["allOf", "oneOf", "anyOf"]) for (const part of listOf(schema[key])) flatten(documents, part, into);
  for (const key of ["then", "else"]) flatten(documents, schema[key], into);
}

type Types = ReadonlySet<JsonType> | undefined;

/** The types that a schema allows, as far as it says so without looking at a value; undefined: any. */
function typesOf(documents: Documents, schema: unknown, open: Set<unknown>): Types {
  if (!isRecord(schema) || open.has(schema)) return undefined;
  open.add(schema);
  const target = documents.target(schema);
  const parts: Types[] = [ownTypes(schema)];
  if (target) parts.push(typesOf(documents, target.value, open));
  for (const part of listOf(schema["allOf"])) parts.push(typesOf(documents, part, open));
  for (const key of ["oneOf", "anyOf"]) {
    const branches = listOf(schema[key]);
    if (branches.length > 0) parts.push(union(branches.map((branch) => typesOf(documents, branch, open))));
  }
  open.delete(schema);
  return parts.reduce(intersection, undefined);
}

function unionOfTypes(documents: Documents, schemas: readonly unknown[]): Types {
  return schemas.length === 0 ? undefined : union(schemas.map((schema) => typesOf(documents, schema, new Set())));
}

function ownTypes(schema: JsonRecord): Types {
  const { type, nullable } = schema;
  const named = (Array.isArray(type) ? type : [type]).filter(isJsonType);
  if (named.length > 0) return new Set(nullable === true ? [...named, "null" as const] : named);
  if (Array.isArray(schema["enum"])) return new Set(schema["enum"].map(typeOf));
  if (Object.hasOwn(schema, "const")) return new Set([typeOf(schema["const"])]);
  if (isRecord(schema["properties"])) return new Set(["object"]);
  if (isRecord(schema["items"])) return new Set(["array"]);
  return undefined;
}

/** A value's JSON type; whole numbers are integers. */
export function typeOf(value: unknown): JsonType {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "bigint") return "integer";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "boolean" || typeof value === "string") return typeof value as "boolean" | "string";
  return "object";
}

function union(all: readonly Types[]): Types {
  const result = new Set<JsonType>();
  for (const types of all) {
    if (!types) return undefined;
    for (const type of types) result.add(type);
  }
  return result;
}

function intersection(a: Types, b: Types): Types {
  if (!a) return b;
  if (!b) return a;
  const result = new Set<JsonType>();
  for (const type of a) {
    if (b.has(type)) result.add(type);
    else if (type === "integer" && b.has("number")) result.add("integer");
    else if (type === "number" && b.has("integer")) result.add("integer");
  }
  return result;
}
