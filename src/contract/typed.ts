/**
 * From the strings that a notation gave to the values that a schema is after.
 */
import { emptyRecord } from "../core/record.ts";
import { isRecord } from "./json.ts";
import { readScalar, type Preference } from "./scalar.ts";
import type { Shape } from "./shape.ts";
import type { Strings } from "./styles.ts";

/** Gives strings the types of a shape. A lone string where only a list will do becomes a list of one. */
export function typed(strings: Strings, shape: Shape | undefined, preference: Preference): unknown {
  if (typeof strings === "string") {
    const types = shape?.types;
    if (shape && types?.has("array") && types.size === 1 && !strings.startsWith("[")) return [typed(strings, shape.items, preference)];
    return readScalar(strings, shape, preference);
  }
  if (Array.isArray(strings)) return (strings as readonly Strings[]).map((one, index) => typed(one, shape?.item(index), preference));
  return typedObject(strings as { readonly [name: string]: Strings }, shape, preference);
}

function typedObject(strings: { readonly [name: string]: Strings }, shape: Shape | undefined, preference: Preference): unknown {
  const out = emptyRecord();
  for (const [name, value] of Object.entries(strings)) out[name] = typed(value, shape?.property(name), preference);
  return out;
}

/** Whether a value holds a number that only a bigint can hold. */
export function holdsBigint(value: unknown): boolean {
  if (typeof value === "bigint") return true;
  if (Array.isArray(value)) return value.some(holdsBigint);
  return isRecord(value) && Object.values(value).some(holdsBigint);
}

/**
 * Bigints as raw JSON: what `JSON.stringify` writes of them is every digit, which is what programs are given.
 */
export function writable(value: unknown): unknown {
  if (typeof value === "bigint") return rawJson(String(value));
  if (Array.isArray(value)) return value.map(writable);
  if (!isRecord(value)) return value;
  const out = emptyRecord();
  for (const [name, one] of Object.entries(value)) out[name] = writable(one);
  return out;
}

function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
