/**
 * Looking into parsed JSON and YAML, whose type is `unknown`, and pointing into it. Documents are written by people, so
 * nothing here assumes that a value has the type that it should have.
 */

export type JsonRecord = Readonly<Record<string, unknown>>;
/** Keys and indexes from a value's root to something within. */
export type JsonTrail = readonly (string | number)[];

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of an object that is the object's own; undefined for everything else. */
export function member(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isRecord(value) ? Object.entries(value) : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The segments of a JSON pointer (RFC 6901), without its leading "/"; "" has none. */
export function pointerTrail(pointer: string): string[] {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What a trail leads to; undefined when it leads nowhere. */
export function follow(value: unknown, trail: JsonTrail): unknown {
  let at = value;
  for (const key of trail) {
    if (Array.isArray(at)) at = at[Number(key)];
    else at = member(at, String(key));
    if (at === undefined) return undefined;
  }
  return at;
}

const plainName = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** A trail as a JSON path (RFC 9535) without its root: `.tags[0].name`, `["odd key"]`. */
export function pathText(trail: JsonTrail): string {
  let text = "";
  for (const key of trail) {
    if (typeof key === "number") text += `[${key}]`;
    else if (plainName.test(key)) text += `.${key}`;
    else text += `[${JSON.stringify(key)}]`;
  }
  return text;
}

/** The keys of an Ajv instance path; numbers where the value at that level is a list. */
export function trailThrough(value: unknown, pointer: string): (string | number)[] {
  const trail: (string | number)[] = [];
  let at = value;
  for (const segment of pointerTrail(pointer)) {
    const key = Array.isArray(at) ? Number(segment) : segment;
    trail.push(key);
    at = Array.isArray(at) ? at[Number(segment)] : member(at, segment);
  }
  return trail;
}
