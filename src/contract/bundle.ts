/**
 * A contract as one value without references to other files, for those who cannot read these: what other files hold is put
 * under `components`, in the section that its kind has there, and referred to.
 */
import type { Documents } from "./documents.ts";
import { isRecord, type JsonRecord } from "./json.ts";

/** What a value is: a schema, a path item, of a section of the Components Object (OpenAPI 3.1 §4.8.7), or anything else. */
type Kind = "schema" | "pathItem" | Section | "other";
type Section = "parameters" | "responses" | "headers" | "requestBodies" | "links" | "callbacks" | "securitySchemes";

/** A value of a kind, or a map (or list) of names to such. */
interface Spot {
  readonly kind: Kind;
  readonly isMap: boolean;
}

const one = (kind: Kind): Spot => ({ kind, isMap: false });
const many = (kind: Kind): Spot => ({ kind, isMap: true });

/** What the members of objects are that are no schemas, by their keyword. */
const members: ReadonlyMap<string, Spot> = new Map([
  ["schema", one("schema")],
  ["schemas", many("schema")],
  ["paths", many("pathItem")],
  ["webhooks", many("pathItem")],
  ["pathItems", many("pathItem")],
  ["requestBody", one("requestBodies")],
  ...(["parameters", "responses", "headers", "requestBodies", "links", "callbacks", "securitySchemes"] as const).map(
    (section): [string, Spot] => [section, many(section)],
  ),
]);
const schemaMaps = new Set(["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"]);
const dataKeywords = new Set(["example", "examples", "default", "enum", "const"]);

/** The document with everything that it refers to. A copy: nothing of it is shared with the documents. */
export function bundle(documents: Documents): JsonRecord {
  return new Bundler(documents).bundle();
}

class Bundler {
  readonly #documents: Documents;
  /** Where each object of the root document stands, as a JSON pointer with its "#". */
  readonly #pointers = new Map<object, string>();
  /** What other files hold, and the pointer that it was given. */
  readonly #hoisted = new Map<object, string>();
  readonly #added = new Map<string, Map<string, unknown>>();

  constructor(documents: Documents) {
    this.#documents = documents;
    this.#point(documents.root.value, "#");
  }

  bundle(): JsonRecord {
    const root = this.#copy(this.#documents.root.value, one("other")) as Record<string, unknown>;
    if (this.#added.size === 0) return root;
    const components: Record<string, unknown> = isRecord(root["components"]) ? { ...root["components"] } : {};
    for (const [section, values] of this.#added) {
      const own = components[section];
      components[section] = { ...(isRecord(own) ? own : {}), ...Object.fromEntries(values) };
    }
    return { ...root, components };
  }

  #point(root: unknown, pointer: string): void {
    const open: [unknown, string][] = [[root, pointer]];
    for (let next = open.pop(); next; next = open.pop()) {
      const [value, at] = next;
      if (typeof value !== "object" || value === null || this.#pointers.has(value)) continue;
      this.#pointers.set(value, at);
      for (const [key, inner] of Object.entries(value)) open.push([inner, `${at}/${escapePointer(key)}`]);
    }
  }

  #copy(value: unknown, spot: Spot): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#copy(item, one(spot.kind)));
    if (!isRecord(value)) return value;
    const target = spot.isMap ? undefined : this.#documents.target(value);
    if (target === undefined) return this.#copyMembers(value, spot);
    const { $ref: _, ...siblings } = value;
    // Path items have no section in 3.0: what one refers to takes its place.
    if (spot.kind === "pathItem") return { ...this.#inline(value), ...this.#copyMembers(siblings, spot) };
    return { ...this.#copyMembers(siblings, spot), $ref: this.#pointerTo(target.value, target.name, spot.kind) };
  }

  #copyMembers(record: JsonRecord, spot: Spot): Record<string, unknown> {
    const copied: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(record)) {
      // References are by pointer here; a base of its own would turn them elsewhere.
      if (spot.kind === "schema" && !spot.isMap && (key === "$id" || key === "$anchor")) continue;
      const inner = within(spot, key);
      copied[key] = inner === undefined ? value : this.#copy(value, inner);
    }
    return copied;
  }

  #inline(value: unknown): Record<string, unknown> {
    const target = this.#documents.resolve(value);
    return isRecord(target) ? this.#copyMembers(target, one("pathItem")) : {};
  }

  #pointerTo(value: unknown, name: string, kind: Kind): string {
    const target = this.#documents.resolve(value);
    if (typeof target !== "object" || target === null) return "#";
    const known = this.#pointers.get(target) ?? this.#hoisted.get(target);
    return known ?? this.#hoist(target, name, kind);
  }

  #hoist(value: object, name: string, kind: Kind): string {
    const section = kind === "schema" || kind === "other" || kind === "pathItem" ? "schemas" : kind;
    const own = this.#added.get(section) ?? new Map<string, unknown>();
    this.#added.set(section, own);
    const free = this.#freeName(section, name.replace(/[^A-Za-z0-9._-]/g, "_"), own);
    const pointer = `#/components/${section}/${free}`;
    // Before it is copied, because it may refer to itself.
    this.#hoisted.set(value, pointer);
    own.set(free, undefined);
    own.set(free, this.#copy(value, one(section === "schemas" ? "schema" : section)));
    return pointer;
  }

  #freeName(section: string, name: string, own: ReadonlyMap<string, unknown>): string {
    const { root } = this.#documents;
    const components = isRecord(root.value) ? root.value["components"] : undefined;
    const there = isRecord(components) ? components[section] : undefined;
    const taken = (candidate: string): boolean => own.has(candidate) || (isRecord(there) && Object.hasOwn(there, candidate));
    let free = name === "" ? "unnamed" : name;
    for (let count = 2; taken(free); count += 1) free = `${name}_${count}`;
    return free;
  }
}

/** What a member is, by its key and what it is a member of; undefined: data, in which nothing is a reference. */
function within({ kind, isMap }: Spot, key: string): Spot | undefined {
  if (isMap) return one(kind);
  if (dataKeywords.has(key) || key.startsWith("x-")) return undefined;
  if (kind === "schema") return schemaMaps.has(key) ? many("schema") : one("schema");
  // Its keys are expressions that lead to path items.
  if (kind === "callbacks") return one("pathItem");
  return members.get(key) ?? one("other");
}

const escapePointer = (key: string): string => encodeURI(key.replaceAll("~", "~0").replaceAll("/", "~1"));
