/**
 * Media types and ranges (RFC 9110 §8.3.1 and §12.5.1): what a Content-Type names, which entry of a contract it falls
 * under, and whether an Accept header is satisfied.
 */

export interface MediaType {
  /** Lower case: "application/json". */
  readonly essence: string;
  /** Names in lower case, values as given. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Longer Accept and Content-Type headers are not looked at beyond this many entries. */
const entriesMax = 100;

/** Reads `type/subtype; name=value`. Undefined when it is none. */
export function parseMediaType(text: string): MediaType | undefined {
  const [head = "", ...rest] = splitOutsideQuotes(text, ";");
  const essence = head.trim().toLowerCase();
  if (!/^[^\s/;,]+\/[^\s/;,]+$/.test(essence)) return undefined;
  const parameters = new Map<string, string>();
  for (const part of rest.slice(0, entriesMax)) {
    const equals = part.indexOf("=");
    if (equals > 0) parameters.set(part.slice(0, equals).trim().toLowerCase(), unquote(part.slice(equals + 1).trim()));
  }
  return { essence, parameters };
}

function unquote(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  if (!text.includes('"')) return text.split(separator);
  return text.match(new RegExp(`(?:"(?:\\\\.|[^"\\\\])*"?|[^"${separator}])+`, "g")) ?? [];
}

/** How a body is read, by the media type it is sent as. */
export type BodyFormat = "json" | "xml" | "form" | "multipart" | "text" | "opaque";

export function formatOf(essence: string): BodyFormat {
  if (essence === "application/json" || essence === "text/json" || essence.endsWith("+json")) return "json";
  if (essence === "application/xml" || essence === "text/xml" || essence.endsWith("+xml")) return "xml";
  if (essence === "application/x-www-form-urlencoded") return "form";
  if (essence.startsWith("multipart/")) return "multipart";
  return essence.startsWith("text/") ? "text" : "opaque";
}

/** Whether a range takes a media type, and how specifically: 0 not at all, 1 any, 2 by type, 3 by suffix, 4 exactly, 5 with parameters. */
export function specificity(range: MediaType, type: MediaType): number {
  if (range.essence === "*/*" || range.essence === "*") return 1;
  const [rangeType = "", rangeSubtype = ""] = range.essence.split("/");
  const [typeName = "", subtype = ""] = type.essence.split("/");
  if (rangeType !== typeName && rangeType !== "*") return 0;
  if (rangeSubtype === "*") return 2;
  if (rangeSubtype.startsWith("*+")) return subtype.endsWith(rangeSubtype.slice(1)) ? 3 : 0;
  if (rangeSubtype !== subtype) return 0;
  const named = [...range.parameters].filter(([name]) => name !== "charset" && name !== "q" && name !== "boundary");
  if (named.length === 0) return 4;
  // A contract's entry with parameters is still the right one for a request that leaves them out.
  return named.every(([name, value]) => type.parameters.get(name) === value) ? 5 : 3;
}

/** The most specific entry that takes a media type. */
export function bestEntry<T extends { readonly range: MediaType }>(entries: readonly T[], type: MediaType): T | undefined {
  let best: T | undefined;
  let bestScore = 0;
  for (const entry of entries) {
    const score = specificity(entry.range, type);
    if (score > bestScore) [best, bestScore] = [entry, score];
  }
  return best;
}

/** Whether one of the offered media types or ranges satisfies an Accept header. An unreadable header is satisfied by all. */
export function accepts(header: string, offers: readonly MediaType[]): boolean {
  const wanted = splitOutsideQuotes(header, ",")
    .slice(0, entriesMax)
    .map((text) => parseMediaType(text.trim() === "*" ? "*/*" : text))
    .filter((range) => range !== undefined);
  if (wanted.length === 0) return true;
  return offers.some((offer) => qualityOf(offer, wanted) > 0);
}

function qualityOf(offer: MediaType, wanted: readonly MediaType[]): number {
  let best = 0;
  let quality = 0;
  for (const range of wanted) {
    // What is offered may be a range of the contract's own: it can be narrowed to what is asked for.
    const score = specificity(range, offer) || specificity(offer, range);
    if (score <= best) continue;
    best = score;
    const q = Number(range.parameters.get("q") ?? 1);
    quality = Number.isFinite(q) ? q : 1;
  }
  return quality;
}
