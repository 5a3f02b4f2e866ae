/**
 * The judge of generated values: a plain Ajv on the document's own schemas, which shares no code with what it judges.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import ajvDraft04 from "ajv-draft-04";
import ajvFormats from "ajv-formats";

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface Judge {
  /** The document with what only Ajv stumbles over taken out. */
  readonly document: Json;
  resolve(value: unknown): unknown;
  /** Whether a value is valid by the schema at a place of the document; undefined: Ajv cannot compile it. */
  valid(schema: unknown, value: unknown): boolean | undefined;
}

export function makeJudge(original: Json): Judge {
  const is30 = String(original["openapi"]).startsWith("3.0");
  const document = tidy(structuredClone(original), is30) as Json;
  const options = { strict: false, validateSchema: false, allErrors: false, logger: false, addUsedSchema: false } as const;
  const ajv = is30 ? new ajvDraft04(options) : new Ajv2020(options);
  ajvFormats(ajv);
  ajv.addSchema({ components: document["components"] ?? {}, paths: document["paths"] ?? {} }, "doc");
  const compiled = new Map<unknown, ((value: unknown) => boolean) | undefined>();
  const resolve = (value: unknown): unknown => {
    let at = value;
    for (let hops = 0; hops < 50 && isObject(at) && typeof at["$ref"] === "string"; hops++) at = lookUp(document, at["$ref"]);
    return at;
  };
  return {
    document,
    resolve,
    valid(schema, value) {
      if (!compiled.has(schema)) compiled.set(schema, compile(ajv, schema));
      try {
        return compiled.get(schema)?.(value);
      } catch {
        // Ajv leaves what refers to a schema that it could not compile half done.
        return undefined;
      }
    },
  };
}

function compile(ajv: { compile(schema: object): unknown }, schema: unknown): ((value: unknown) => boolean) | undefined {
  try {
    return ajv.compile(absolute(schema) as object) as (value: unknown) => boolean;
  } catch {
    return undefined;
  }
}

function absolute(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"doc#/'));
}

function lookUp(document: unknown, reference: string): unknown {
  let at = document;
  for (const segment of reference.replace(/^#\/?/, "").split("/")) {
    const key = decodeURIComponent(segment).replaceAll("~1", "/").replaceAll("~0", "~");
    at = isObject(at) || Array.isArray(at) ? (at as Json)[key] : undefined;
  }
  return at;
}

/** Maps whose keys are names of the author's, which "example" or "x-thing" may be. */
const named = new Set(["properties", "patternProperties", "schemas", "parameters", "requestBodies", "$defs"]);

function tidyEach(map: Json, is30: boolean): Json {
  return Object.fromEntries(Object.entries(map).map(([name, one]) => [name, tidy(one, is30)]));
}

/** Siblings of `$ref` mean nothing in 3.0; `nullable` needs a type; what is read-only is not asked for in requests. */
function tidy(value: unknown, is30: boolean): unknown {
  if (Array.isArray(value)) return value.map((one) => tidy(one, is30));
  if (!isObject(value)) return value;
  if (is30 && typeof value["$ref"] === "string") return { $ref: value["$ref"] };
  const out: Json = {};
  for (const [key, one] of Object.entries(value)) {
    if (key === "example" || key === "examples" || key === "links" || key.startsWith("x-")) continue;
    out[key] = named.has(key) && isObject(one) ? tidyEach(one, is30) : tidy(one, is30);
  }
  if (out["nullable"] !== undefined && typeof out["type"] !== "string") delete out["nullable"];
  if (Array.isArray(out["required"]) && isObject(out["properties"])) {
    const properties = out["properties"];
    const left = out["required"].filter(
      (name) => !isObject(properties[String(name)]) || (properties[String(name)] as Json)["readOnly"] !== true,
    );
    if (left.length > 0) out["required"] = left;
    else delete out["required"];
  }
  return out;
}

/** A value that should be text, or else what it is by default. */
export function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}
