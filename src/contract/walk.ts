/**
 * Goes through a document once and tells what names or refers to something: `$ref`, `$id`, `$anchor`, and patterns.
 * It knows where keys are names that the author chose (a property called "example") and where they are keywords, and
 * stays out of what is only data (examples, defaults, extensions).
 */
import { isRecord } from "./json.ts";

export interface Visit {
  reference(holder: object, reference: string, base: string): void;
  /** `id` is absolute. */
  identifier(value: unknown, id: string): void;
  anchor(value: unknown, name: string, base: string): void;
  pattern(holder: object, pattern: string): void;
}

/** Keywords whose value is a map from names to things. */
const mapKeywords = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "$defs",
  "definitions",
  "responses",
  "schemas",
  "parameters",
  "headers",
  "requestBodies",
  "securitySchemes",
  "links",
  "callbacks",
  "pathItems",
  "paths",
  "content",
  "encoding",
  "mapping",
  "variables",
  "webhooks",
]);
/** Keywords whose value is data. */
const dataKeywords = new Set(["example", "examples", "default", "enum", "const"]);

interface Step {
  readonly value: unknown;
  readonly base: string;
  readonly isMap: boolean;
}

export function walk(root: unknown, base: string, visit: Visit): void {
  const seen = new Set<object>();
  const open: Step[] = [{ value: root, base, isMap: false }];
  for (let step = open.pop(); step; step = open.pop()) {
    if (typeof step.value !== "object" || step.value === null || seen.has(step.value)) continue;
    seen.add(step.value);
    if (Array.isArray(step.value)) for (const value of step.value) open.push({ value, base: step.base, isMap: false });
    else if (isRecord(step.value)) intoRecord(step.value, step, open, visit);
  }
}

function intoRecord(record: Readonly<Record<string, unknown>>, step: Step, open: Step[], visit: Visit): void {
  const base = step.isMap ? step.base : announce(record, step.base, visit);
  for (const [key, value] of Object.entries(record)) {
    if (step.isMap) open.push({ value, base, isMap: false });
    else if (!dataKeywords.has(key) && !key.startsWith("x-")) open.push({ value, base, isMap: mapKeywords.has(key) });
  }
}

/** Tells what an object says of itself; the answer is the base of the references within. */
function announce(record: Readonly<Record<string, unknown>>, outer: string, visit: Visit): string {
  const { $ref, $id, $anchor, $dynamicAnchor, pattern } = record;
  let base = outer;
  if (typeof $id === "string") {
    base = resolveId($id, outer);
    if (base !== outer) visit.identifier(record, base);
  }
  if (typeof $anchor === "string") visit.anchor(record, $anchor, base);
  if (typeof $dynamicAnchor === "string") visit.anchor(record, $dynamicAnchor, base);
  if (typeof pattern === "string") visit.pattern(record, pattern);
  if (typeof $ref === "string") visit.reference(record, $ref, base);
  return base;
}

function resolveId(id: string, base: string): string {
  try {
    const url = new URL(id, base);
    url.hash = "";
    return url.href;
  } catch {
    return base;
  }
}
