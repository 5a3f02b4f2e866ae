/**
 * Text to a value of the type that a schema is after. Text that does not read as that type stays text, and the validator
 * says what is wrong with it.
 */
import type { Shape } from "./shape.ts";

/** JSON's own grammar of numbers (RFC 8259 §6): no "+", no "0x", no leading zeros. */
const number = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/;
const wholeNumber = /^-?[0-9]+$/;

/** Where text could be several things ("12" for a string or an integer), the one to try. */
export type Preference = "typed" | "text";

/** Reads text as the shape wants it. With `text` preferred it stays a string wherever a string is allowed. */
export function readScalar(text: string, shape: Shape | undefined, preference: Preference): unknown {
  const types = shape?.types;
  if (!types || (types.has("string") && (types.size === 1 || preference === "text"))) return text;
  if ((types.has("integer") || types.has("number")) && number.test(text)) return readNumber(text);
  if (types.has("boolean") && (text === "true" || text === "false")) return text === "true";
  if (types.has("null") && !types.has("string") && (text === "null" || text === "")) return null;
  if (!types.has("string") && (types.has("object") || types.has("array"))) return readJson(text);
  return text;
}

/**
 * A number, exactly: a whole number that a double cannot hold is a bigint, so that "9007199254740993" is not taken for
 * its neighbour.
 */
export function readNumber(text: string): number | bigint {
  const value = Number(text);
  if (Number.isSafeInteger(value) || !wholeNumber.test(text) || text.length > 400) return value;
  const exact = BigInt(text);
  return Number.isFinite(value) && BigInt(value) === exact ? value : exact;
}

function readJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
