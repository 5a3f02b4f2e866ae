/**
 * Schemas as TypeScript types. Each that is referred to becomes a type with a name; one with read-only or write-only properties
 * becomes two, because a request need not hold the ones and a reply not the others.
 */
import type { Dialect, Direction } from "./dialect.ts";
import { entriesOf, follow, isRecord, listOf, member, pointerTrail, textOf, type JsonRecord } from "./json.ts";
import {
  atom,
  commentText,
  intersection,
  keyText,
  listOfType,
  literal,
  memberText,
  neverType,
  nullType,
  objectText,
  typeName,
  union,
  unknownType,
  type TypeText,
} from "./typings-text.ts";

/** A schema that has a name. */
interface Named {
  readonly pointer: string;
  readonly schema: unknown;
  readonly name: string;
  /** As requests hold it, where that differs. */
  readonly requestName: string | undefined;
}

/** Where a type is being written. */
interface Writing {
  readonly direction: Direction;
  /** The named schema that the type is, or is an alternative or a part of: one that refers to itself there has no type. */
  readonly itself: string | undefined;
  /** Properties that are required though the schema itself does not say so. */
  readonly required: ReadonlySet<string>;
  /** Whether something else says what it is, so that "an object" says nothing. */
  readonly isPart: boolean;
}

const none: ReadonlySet<string> = new Set();

export class SchemaTypings {
  readonly #document: JsonRecord;
  readonly #dialect: Dialect;
  readonly #named = new Map<string, Named>();
  readonly #names = new Set<string>();
  readonly #differing = new Map<string, boolean>();

  /** @param document with no references to other files. */
  constructor(document: JsonRecord, dialect: Dialect) {
    this.#document = document;
    this.#dialect = dialect;
    const schemas = entriesOf(member(member(document, "components"), "schemas"));
    for (const [name] of schemas) this.#nameOf(`#/components/schemas/${escaped(name)}`);
  }

  /** A value, or what it refers to. */
  resolve(value: unknown): unknown {
    let at = value;
    for (let hops = 0; hops < 100; hops += 1) {
      const reference = textOf(member(at, "$ref"));
      if (reference === undefined) return at;
      at = this.#target(reference);
    }
    return undefined;
  }

  /** The type of values of a schema in a request or a reply. */
  type(schema: unknown, direction: Direction): TypeText {
    return this.#type(schema, { direction, itself: undefined, required: none, isPart: false });
  }

  /** Declarations of all named schemas, and a map of them by the names that the contract has. */
  declarations(): { readonly declarations: readonly string[]; readonly schemas: readonly string[] } {
    const declarations: string[] = [];
    const schemas: string[] = [];
    // Grows while it is walked: schemas refer to others.
    for (const { pointer, schema, name, requestName } of this.#named.values()) {
      const comment = commentOf(schema);
      declarations.push(this.#declaration(pointer, schema, name, "reply", comment));
      if (requestName !== undefined) declarations.push(this.#declaration(pointer, schema, requestName, "request", comment));
      const contractName = /^#\/components\/schemas\/([^/]*)$/.exec(pointer)?.[1];
      if (contractName !== undefined)
        schemas.push(memberText(keyText(pointerTrail(`/${decoded(contractName)}`)[0] ?? ""), false, atom(name), ""));
    }
    return { declarations, schemas };
  }

  #declaration(pointer: string, schema: unknown, name: string, direction: Direction, comment: string): string {
    const { text } = this.#type(schema, { direction, itself: pointer, required: none, isPart: false });
    return `${comment}export type ${name} =${text.startsWith("\n") ? "" : " "}${text};`;
  }

  #target(reference: string): unknown {
    return reference.startsWith("#") ? follow(this.#document, pointerTrail(decoded(reference.slice(1)))) : undefined;
  }

  #nameOf(pointer: string): Named {
    const known = this.#named.get(pointer);
    if (known !== undefined) return known;
    const wanted = pointerTrail(decoded(pointer.slice(1))).at(-1) ?? "";
    const isTaken = (candidate: string): boolean => this.#names.has(candidate);
    const name = typeName(wanted === "" ? "Document" : wanted, isTaken);
    this.#names.add(name);
    const requestName = this.#differs(pointer) ? typeName(`${name}Request`, isTaken) : undefined;
    if (requestName !== undefined) this.#names.add(requestName);
    const named: Named = { pointer, schema: this.#target(pointer), name, requestName };
    this.#named.set(pointer, named);
    return named;
  }

  // --- types

  #type(schema: unknown, writing: Writing): TypeText {
    if (schema === false) return neverType;
    if (!isRecord(schema)) return unknownType;
    const reference = textOf(schema["$ref"]);
    if (reference === undefined) return this.#composed(schema, writing, []);
    if (this.#dialect === "3.0") return this.#reference(reference, writing);
    const { $ref: _, ...siblings } = schema;
    const required = new Set([...writing.required, ...namesIn(schema["required"])]);
    return this.#composed(siblings, writing, [this.#reference(reference, { ...writing, required })]);
  }

  #reference(reference: string, writing: Writing): TypeText {
    const target = this.#target(reference);
    if (typeof target === "boolean") return this.#type(target, writing);
    if (!isRecord(target)) return unknownType;
    if (writing.itself !== undefined && this.#leadsTo(reference, writing.itself)) return unknownType;
    const { name, requestName } = this.#nameOf(reference);
    const type = writing.direction === "request" && requestName !== undefined ? requestName : name;
    const lacking = [...writing.required].filter((property) => this.#lacks(target, property, writing.direction));
    if (lacking.length === 0 || !isPlainObject(target)) return atom(type);
    return intersection([atom(type), atom(`Required<Pick<${type}, ${lacking.map((property) => JSON.stringify(property)).join(" | ")}>>`)]);
  }

  /** What a schema says itself, and by its parts and alternatives, beside `given` types. */
  #composed(schema: JsonRecord, writing: Writing, given: readonly TypeText[]): TypeText {
    const all = listOf(schema["allOf"]);
    const required = new Set([...writing.required, ...[schema, ...all].flatMap((part) => namesIn(member(part, "required")))]);
    const isPart = writing.isPart || saysOfObjects(schema) || given.length > 0 || all.length > 0;
    const within = { ...writing, required };
    const parts = [
      ...given,
      ...all.map((part) => this.#type(part, { ...within, isPart: true })),
      ...["anyOf", "oneOf"].map((keyword) => this.#alternatives(schema[keyword], { ...writing, isPart })),
    ].filter(({ text }) => text !== "unknown");
    const own = this.#own(schema, parts.length > 0 ? { ...within, isPart: true } : within);
    const type = intersection([own, ...parts]);
    return this.#dialect === "3.0" && schema["nullable"] === true && type !== unknownType ? union([type, nullType]) : type;
  }

  #alternatives(alternatives: unknown, writing: Writing): TypeText {
    const list = listOf(alternatives);
    return list.length === 0 ? unknownType : union(list.map((one) => this.#type(one, writing)));
  }

  #own(schema: JsonRecord, writing: Writing): TypeText {
    if (Object.hasOwn(schema, "const")) return literal(schema["const"]);
    if (Array.isArray(schema["enum"])) return union(schema["enum"].map(literal));
    const types = typesOf(schema);
    if (types.length === 0) return unknownType;
    if (writing.isPart && types.length === 1 && types[0] === "object" && !saysOfObjects(schema)) return unknownType;
    return union(types.map((type) => this.#ofType(type, schema, { ...writing, itself: undefined, isPart: false })));
  }

  #ofType(type: string, schema: JsonRecord, writing: Writing): TypeText {
    switch (type) {
      case "string":
      case "boolean":
      case "null":
        return atom(type);
      case "integer":
      case "number":
        return atom("number");
      case "array":
        return this.#array(schema, { ...writing, required: none });
      case "object":
        return this.#object(schema, writing);
      default:
        return unknownType;
    }
  }

  #array(schema: JsonRecord, writing: Writing): TypeText {
    const { items, prefixItems } = schema;
    // A tuple in the way of drafts before 2020-12.
    const [first, rest] = Array.isArray(items) ? [items, schema["additionalItems"]] : [listOf(prefixItems), items];
    if (first.length === 0) return rest === false ? atom("[]") : listOfType(this.#type(rest, writing));
    const least = typeof schema["minItems"] === "number" ? schema["minItems"] : 0;
    const elements = first.map((item, index) => this.#element(item, index >= least, writing));
    if (rest !== false) elements.push(`...${listOfType(this.#type(rest, writing)).text}`);
    return atom(`[${elements.join(", ")}]`);
  }

  #element(item: unknown, isOptional: boolean, writing: Writing): string {
    const type = this.#type(item, writing);
    if (!isOptional) return type.text;
    return type.joined === undefined ? `${type.text}?` : `(${type.text})?`;
  }

  #object(schema: JsonRecord, writing: Writing): TypeText {
    const { direction } = writing;
    const inner: Writing = { direction, itself: undefined, required: none, isPart: false };
    const required = new Set([...namesIn(schema["required"]), ...writing.required]);
    const properties = entriesOf(schema["properties"]);
    const others = [...entriesOf(schema["patternProperties"]).map(([, pattern]) => pattern), ...additional(schema, properties.length > 0)];
    const types = properties.map(([, property]) => this.#type(property, inner));
    const isOptional = properties.map(([name, property]) => !required.has(name) || this.#isHidden(property, direction));
    const members = properties.map(([name, property], at) =>
      memberText(keyText(name), isOptional[at] ?? true, types[at] ?? unknownType, commentOf(property)),
    );
    const otherTypes = others.map((other) => this.#type(other, inner));
    if (properties.length > 0) {
      const undeclared = namesIn(schema["required"]).filter((name) => !properties.some(([known]) => known === name));
      const type = otherTypes.length > 0 ? union(otherTypes) : unknownType;
      for (const name of undeclared) members.push(memberText(keyText(name), false, type, ""));
    }
    // An index signature speaks of the declared properties too.
    const all = [...otherTypes, ...types, ...(isOptional.includes(true) ? [atom("undefined")] : [])];
    if (others.length > 0) members.push(memberText("[name: string]", false, union(all), ""));
    return objectText(members);
  }

  #isHidden(property: unknown, direction: Direction): boolean {
    const keyword = direction === "request" ? "readOnly" : "writeOnly";
    return member(property, keyword) === true || member(this.resolve(property), keyword) === true;
  }

  /** Whether a schema declares a property and does not require it. */
  #lacks(schema: unknown, name: string, direction: Direction): boolean {
    let declared = false;
    for (const part of this.#parts(schema)) {
      const property = member(member(part, "properties"), name);
      if (property !== undefined && this.#isHidden(property, direction)) return false;
      if (namesIn(member(part, "required")).includes(name) && property !== undefined) return false;
      declared ||= property !== undefined;
    }
    return declared;
  }

  /** A schema and all that it is composed of. */
  #parts(schema: unknown): JsonRecord[] {
    const parts = new Set<JsonRecord>();
    const open: unknown[] = [schema];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const part = this.resolve(next);
      if (!isRecord(part) || parts.has(part)) continue;
      parts.add(part);
      open.push(...listOf(part["allOf"]));
    }
    return [...parts];
  }

  // --- references

  /** Whether a type would be its own alternative or part, with no object or list between. */
  #leadsTo(from: string, itself: string): boolean {
    const seen = new Set<string>();
    const open = [from];
    for (let pointer = open.pop(); pointer !== undefined; pointer = open.pop()) {
      if (pointer === itself) return true;
      if (seen.has(pointer)) continue;
      seen.add(pointer);
      open.push(...directReferences(this.#target(pointer)));
    }
    return false;
  }

  /** Whether somewhere in it a property is read-only or write-only. */
  #differs(pointer: string): boolean {
    const known = this.#differing.get(pointer);
    if (known !== undefined) return known;
    const reached = this.#reach(pointer);
    // What leads to a schema that differs does so too.
    const sources = new Map<string, string[]>();
    for (const [from, { references }] of reached) for (const to of references) sources.set(to, [...(sources.get(to) ?? []), from]);
    const open = [...reached].filter(([at, { marked }]) => marked || this.#differing.get(at) === true).map(([at]) => at);
    const differing = new Set(open);
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for (const source of sources.get(at) ?? [])
        if (!differing.has(source)) {
          differing.add(source);
          open.push(source);
        }
    for (const at of reached.keys()) this.#differing.set(at, differing.has(at));
    return differing.has(pointer);
  }

  /** What can be reached from a schema and is not known yet, by its references. */
  #reach(pointer: string): Map<string, { readonly marked: boolean; readonly references: readonly string[] }> {
    const reached = new Map<string, { readonly marked: boolean; readonly references: readonly string[] }>();
    const open = [pointer];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (reached.has(at)) continue;
      const references: string[] = [];
      let marked = false;
      for (const schema of schemasWithin(this.#target(at))) {
        const reference = textOf(schema["$ref"]);
        if (reference !== undefined) references.push(reference);
        marked ||= schema["readOnly"] === true || schema["writeOnly"] === true;
      }
      reached.set(at, { marked, references });
      if (this.#differing.get(at) === undefined) open.push(...references);
    }
    return reached;
  }
}

/** The doc comment of a schema, a parameter or a header. */
export function commentOf(described: unknown): string {
  const schema = isRecord(member(described, "schema")) ? member(described, "schema") : described;
  const format = textOf(member(schema, "format"));
  const fallback = member(schema, "default");
  return commentText([
    textOf(member(described, "description")) ?? textOf(member(described, "title")),
    format === undefined ? undefined : `Format: ${format}`,
    fallback === undefined ? undefined : `@default ${JSON.stringify(fallback)}`,
    member(described, "deprecated") === true ? "@deprecated" : undefined,
  ]);
}

function typesOf(schema: JsonRecord): readonly string[] {
  const given = schema["type"];
  if (typeof given === "string") return [given];
  if (Array.isArray(given)) return given.filter((type) => typeof type === "string");
  if (saysOfObjects(schema)) return ["object"];
  return schema["items"] !== undefined || Array.isArray(schema["prefixItems"]) ? ["array"] : [];
}

function saysOfObjects(schema: JsonRecord): boolean {
  return isRecord(schema["properties"]) || isRecord(schema["patternProperties"]) || isRecord(schema["additionalProperties"]);
}

/** Schemas of the properties that are not declared by name. Those of a list of properties are not looked for: a slip is to be found. */
function additional({ additionalProperties: given, patternProperties }: JsonRecord, hasProperties: boolean): unknown[] {
  if (given === false) return [];
  if (given === undefined) return hasProperties || isRecord(patternProperties) ? [] : [true];
  return [given];
}

/** A schema of objects, of which properties can be picked. */
function isPlainObject(schema: JsonRecord): boolean {
  const { type, nullable, anyOf, oneOf } = schema;
  return (
    (type === undefined || type === "object") &&
    nullable !== true &&
    anyOf === undefined &&
    oneOf === undefined &&
    schema["enum"] === undefined
  );
}

function directReferences(schema: unknown): string[] {
  if (!isRecord(schema)) return [];
  const reference = textOf(schema["$ref"]);
  const parts = ["allOf", "anyOf", "oneOf"].flatMap((keyword) => listOf(schema[keyword]));
  return [...(reference === undefined ? [] : [reference]), ...parts.flatMap(directReferences)];
}

const schemaMaps = ["properties", "patternProperties", "dependentSchemas"];
const schemaLists = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
const singleSchemas = ["items", "additionalProperties", "additionalItems"];

/** A schema and those within, references not followed. */
function schemasWithin(root: unknown): JsonRecord[] {
  const found: JsonRecord[] = [];
  const open: unknown[] = [root];
  for (let next = open.pop(); open.length > 0 || next !== undefined; next = open.pop()) {
    if (!isRecord(next)) continue;
    const schema = next;
    found.push(schema);
    for (const keyword of schemaMaps) open.push(...entriesOf(schema[keyword]).map(([, inner]) => inner));
    for (const keyword of schemaLists) open.push(...listOf(schema[keyword]));
    for (const keyword of singleSchemas) if (isRecord(schema[keyword])) open.push(schema[keyword]);
  }
  return found;
}

function namesIn(required: unknown): string[] {
  return listOf(required).filter((name): name is string => typeof name === "string");
}

function escaped(name: string): string {
  return encodeURI(name.replaceAll("~", "~0").replaceAll("/", "~1"));
}

function decoded(pointer: string): string {
  try {
    return decodeURI(pointer);
  } catch {
    return pointer;
  }
}
