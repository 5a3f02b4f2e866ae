/**
 * Keywords of our own for Ajv: linear-time uniqueness, numbers that a double cannot hold, alternatives that tell which
 * of them was meant, and schemas that are compiled when a value first gets to them.
 */
import type { Ajv, AnySchemaObject, ErrorObject, SchemaValidateFunction, ValidateFunction } from "ajv";
import type { DataValidationCxt } from "ajv/dist/types/index.js";
import type { Discriminator } from "./dialect.ts";
import { isRecord, listOf, member } from "./json.ts";
import { typeOf } from "./shape.ts";

/** Compiles a schema of the pool by its key. */
export type CompileKey = (key: string) => ValidateFunction;

export function addKeywords(ajv: Ajv, compile: CompileKey): void {
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({ keyword: "uniqueItems", type: "array", schemaType: "boolean", errors: true, validate: validator(uniqueItems) });
  ajv.addKeyword({
    keyword: "deferred",
    schemaType: "string",
    errors: "full",
    validate: validator((key, data, context) => deferred(compile, key, data, context)),
  });
  ajv.addKeyword({
    keyword: "alternativesOne",
    errors: "full",
    validate: validator((spec, data, context) => alternatives(compile, "oneOf", spec, data, context)),
  });
  ajv.addKeyword({
    keyword: "alternativesAny",
    errors: "full",
    validate: validator((spec, data, context) => alternatives(compile, "anyOf", spec, data, context)),
  });
  // Ajv's own take objects without a prototype, as all that is not read from JSON are, for unequal to others.
  ajv.addKeyword({ keyword: "equalsOneOf", schemaType: "array", errors: true, validate: validator(equalsOneOf) });
  ajv.addKeyword({ keyword: "equals", errors: true, validate: validator(equals) });
  for (const [keyword, check] of Object.entries(exact)) {
    ajv.addKeyword({
      keyword,
      errors: true,
      validate: validator((schema, data) =>
        check(schema, data) ? [] : [failure(keyword, { limit: schema, type: schema, format: schema })],
      ),
    });
  }
}

type Failure = Partial<ErrorObject>;
/** Errors that a keyword found; none: the value is fine. */
type Judge = (schema: unknown, data: unknown, context: DataValidationCxt) => readonly Failure[];

/** Ajv wants the errors as a property of the function. */
function validator(judge: Judge): SchemaValidateFunction {
  const validate: SchemaValidateFunction = (
    schema: unknown,
    data: unknown,
    _parent?: AnySchemaObject,
    context?: DataValidationCxt,
  ): boolean => {
    const errors = context ? judge(schema, data, context) : [];
    validate.errors = [...errors];
    return errors.length === 0;
  };
  return validate;
}

function failure(keyword: string, params: Record<string, unknown>): Failure {
  return { keyword, params, message: "" };
}

function uniqueItems(wanted: unknown, data: unknown): readonly Failure[] {
  const items = listOf(data);
  if (wanted !== true || items.length < 2) return [];
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const key = canonical(item);
    const before = seen.get(key);
    if (before !== undefined) return [failure("uniqueItems", { i: before, j: index })];
    seen.set(key, index);
  }
  return [];
}

function equalsOneOf(allowed: unknown, data: unknown): readonly Failure[] {
  const values = listOf(allowed);
  const written = canonical(data);
  return values.some((value) => canonical(value) === written) ? [] : [failure("enum", { allowedValues: values })];
}

function equals(allowed: unknown, data: unknown): readonly Failure[] {
  return canonical(allowed) === canonical(data) ? [] : [failure("const", { allowedValue: allowed })];
}

/** The same text for values that JSON Schema holds equal. */
function canonical(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isRecord(value)) return JSON.stringify(value) ?? "undefined";
  const parts = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${parts.join(",")}}`;
}

function deferred(compile: CompileKey, key: unknown, data: unknown, context: DataValidationCxt): readonly Failure[] {
  return errorsOf(compile(String(key)), data, context);
}

function errorsOf(validate: ValidateFunction, data: unknown, context: DataValidationCxt): readonly ErrorObject[] {
  return validate(data, context) ? [] : [...(validate.errors ?? [])];
}

/** `oneOf` and `anyOf`, with the errors of the branch that the value comes closest to. */
function alternatives(
  compile: CompileKey,
  keyword: "oneOf" | "anyOf",
  spec: unknown,
  data: unknown,
  context: DataValidationCxt,
): readonly Failure[] {
  const keys = listOf(member(spec, "keys")).map(String);
  const discriminator = member(spec, "discriminator") as Discriminator | undefined;
  const named = discriminator ? branchNamedBy(discriminator, data) : undefined;
  const outcomes = keys.map((key) => errorsOf(compile(key), data, context));
  const matching = outcomes.flatMap((errors, index) => (errors.length === 0 ? [index] : []));
  if (matching.length === 1 || (keyword === "anyOf" && matching.length > 0)) return [];
  if (matching.length > 1) {
    if (named !== undefined && matching.includes(named)) return [];
    return [{ ...failure("oneOf", { passingSchemas: matching }), instancePath: context.instancePath }];
  }
  const meant = named === undefined ? undefined : outcomes[named];
  return meant ?? closest(outcomes, context.instancePath);
}

function branchNamedBy({ property, values }: Discriminator, data: unknown): number | undefined {
  const name = member(data, property);
  if (typeof name !== "string") return undefined;
  const index = values.findIndex((names) => names.includes(name));
  return index < 0 ? undefined : index;
}

function closest(outcomes: readonly (readonly ErrorObject[])[], at: string): readonly Failure[] {
  if (outcomes.every((errors) => isWrongType(errors, at))) {
    const types = [
      ...new Set(
        outcomes.flatMap((errors) =>
          errors.filter((error) => isTypeError(error, at)).flatMap((error) => error.params["type"] as string | string[]),
        ),
      ),
    ];
    return [{ ...failure("type", { type: types }), instancePath: at }];
  }
  let best: readonly ErrorObject[] = outcomes[0] ?? [];
  for (const errors of outcomes) if (distance(errors, at) < distance(best, at)) best = errors;
  return best;
}

function isWrongType(errors: readonly ErrorObject[], at: string): boolean {
  return errors.some((error) => isTypeError(error, at));
}

function isTypeError(error: ErrorObject, at: string): boolean {
  return error.instancePath === at && (error.keyword === "type" || error.keyword === "exactType");
}

/** How far a value is from a branch: another type is farthest, then another tag (a wrong constant), then the number of faults. */
function distance(errors: readonly ErrorObject[], at: string): number {
  if (isWrongType(errors, at)) return 1_000_000;
  const wrongTags = errors.filter((error) => error.keyword === "const" || error.keyword === "enum").length;
  return wrongTags * 1000 + errors.length;
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

const int32Limit = 2n ** 31n;
const int64Limit = 2n ** 63n;

/** Whether a number keeps within a format's range; other values are not the format's business. */
export function fitsFormat(format: unknown, data: unknown): boolean {
  if (!isNumeric(data)) return true;
  if (typeof data === "number" && !Number.isInteger(data)) return false;
  const limit = format === "int32" ? int32Limit : int64Limit;
  return data >= -limit && data < limit;
}

/** Keywords for values that hold bigints. Comparison of a number and a bigint is exact in JavaScript. */
const exact: Readonly<Record<string, (schema: unknown, data: unknown) => boolean>> = {
  exactType: (types, data) => listOf(types).some((type) => type === typeOf(data) || (type === "number" && typeOf(data) === "integer")),
  exactMinimum: (limit, data) => !isNumeric(data) || !isNumeric(limit) || data >= limit,
  exactMaximum: (limit, data) => !isNumeric(data) || !isNumeric(limit) || data <= limit,
  exactExclusiveMinimum: (limit, data) => !isNumeric(data) || !isNumeric(limit) || data > limit,
  exactExclusiveMaximum: (limit, data) => !isNumeric(data) || !isNumeric(limit) || data < limit,
  exactMultipleOf: (factor, data) => !isNumeric(data) || typeof factor !== "number" || isMultiple(data, factor),
  exactFormat: fitsFormat,
};

function isMultiple(data: number | bigint, factor: number): boolean {
  if (typeof data === "bigint" && Number.isInteger(factor)) return data % BigInt(factor) === 0n;
  return Math.abs(Number(data) / factor - Math.round(Number(data) / factor)) < 1e-9;
}
