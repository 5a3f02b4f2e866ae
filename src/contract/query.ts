/**
 * Names and values as they stand in a query, a form body or a Cookie header, in order and still percent-encoded: what
 * separates the items of a list must be told from what was encoded to be part of one.
 */

/** A name with its raw value. */
export interface Pair {
  readonly name: string;
  /** Still encoded. */
  readonly raw: string;
}

/** Pairs of one query or form, at the most; what comes after is refused. */
export const pairsMax = 10_000;

export type ReadPairs = { readonly ok: true; readonly pairs: readonly Pair[] } | { readonly ok: false; readonly message: string };

/** Splits `a=1&b=2`. A name that is no valid percent-encoding is a failure; values are decoded later, by those who want them. */
export function readPairs(text: string): ReadPairs {
  if (text === "") return { ok: true, pairs: [] };
  const pairs: Pair[] = [];
  for (const part of text.split("&", pairsMax + 1)) {
    if (part === "") continue;
    if (pairs.length >= pairsMax) return { ok: false, message: `has more than ${pairsMax} parts` };
    const equals = part.indexOf("=");
    const name = decodeForm(equals < 0 ? part : part.slice(0, equals));
    if (name === undefined) return { ok: false, message: `has a name with invalid percent-encoding: ${JSON.stringify(part.slice(0, 60))}` };
    pairs.push({ name, raw: equals < 0 ? "" : part.slice(equals + 1) });
  }
  return { ok: true, pairs };
}

/** Splits a Cookie header (RFC 6265 §4.2.1). */
export function readCookies(header: string): readonly Pair[] {
  const pairs: Pair[] = [];
  for (const part of header.split(";", 1000)) {
    const equals = part.indexOf("=");
    if (equals > 0) pairs.push({ name: part.slice(0, equals).trim(), raw: part.slice(equals + 1).trim() });
  }
  return pairs;
}

/** Decodes "+" and percent-encoding as forms have it; undefined when it is invalid. */
export function decodeForm(text: string): string | undefined {
  return decodePercent(text.includes("+") ? text.replaceAll("+", " ") : text);
}

/** Decodes percent-encoding (RFC 3986 §2.1); undefined when it is invalid, or not UTF-8. */
export function decodePercent(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
