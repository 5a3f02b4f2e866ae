/**
 * JSON bodies. Parsed once; a second time only when there may be a number in it that a double cannot hold.
 */
import { bodyFault, type BodyValue } from "./body-value.ts";
import { decodeUtf8, isUtf8 } from "./body-text.ts";
import { jsonFault } from "./json-fault.ts";
import { readNumber } from "./scalar.ts";
import { holdsBigint } from "./typed.ts";

/** Sixteen digits in a row: fewer always fit. */
const longNumber = /[0-9]{16}/;

/** Objects and lists within one another, at the most: what is deeper cannot be walked or written again without care. */
export const jsonLevelsMax = 1000;

/** Reads JSON (RFC 8259: UTF-8, a byte order mark is tolerated). */
export function readJsonBody(body: Uint8Array, charset: string | undefined): BodyValue {
  if (!isUtf8(charset)) return bodyFault(`has the charset ${JSON.stringify(charset?.slice(0, 40))}: JSON is UTF-8`);
  const decoded = decodeUtf8(body);
  if (!decoded.ok) return decoded;
  let value: unknown;
  try {
    value = JSON.parse(decoded.text);
  } catch (error) {
    if (error instanceof RangeError) return bodyFault("is nested too deeply");
    return bodyFault(`is not valid JSON: ${jsonFault(decoded.text)}`);
  }
  if (exceedsLevels(decoded.text)) return bodyFault(`is nested too deeply: at most ${jsonLevelsMax} levels are read`);
  if (!longNumber.test(decoded.text)) return { ok: true, candidates: [value] };
  return exactValue(decoded.text, value);
}

/** Whether valid JSON is nested too deeply. Short texts cannot be. */
function exceedsLevels(text: string): boolean {
  if (text.length < 2 * jsonLevelsMax) return false;
  let level = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at);
    else if (code === 0x7b || code === 0x5b) {
      if (++level > jsonLevelsMax) return true;
    } else if (code === 0x7d || code === 0x5d) level--;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}

/** What is judged holds bigints; what is handed on are the numbers that every JSON reader makes of them. */
function exactValue(text: string, value: unknown): BodyValue {
  try {
    const exact = parseExactly(text);
    return holdsBigint(exact) ? { ok: true, candidates: [exact], exact: true, result: value } : { ok: true, candidates: [value] };
  } catch {
    return bodyFault("is nested too deeply");
  }
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

function parseExactly(text: string): unknown {
  const reviver: Reviver = (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && source.length > 15 ? readNumber(source) : value;
  return (JSON.parse as (text: string, reviver: Reviver) => unknown)(text, reviver);
}
