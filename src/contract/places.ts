/**
 * From a value in a document to its line and column. The fast parsers that read documents keep no positions, so a
 * document is parsed again, with positions, when there is a problem to show, and only then.
 */
import { isNode, isPair, isScalar, isMap, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { Place } from "../core/diagnostic.ts";
import type { JsonTrail } from "./json.ts";

/** Parsing with positions takes a second or so for each of these; documents beyond are told by trail only. */
export const placedTextLengthMax = 8_000_000;

interface Placed {
  readonly document: Document;
  readonly lines: LineCounter;
}

export class Places {
  readonly #parsed = new Map<string, Placed>();

  /** Where a trail's value stands, its key where it has one; the nearest parent when it leads nowhere. */
  find(file: string, text: string, trail: JsonTrail): Place | undefined {
    if (text.length > placedTextLengthMax) return undefined;
    let placed = this.#parsed.get(file);
    if (!placed) {
      const lines = new LineCounter();
      placed = { document: parseDocument(text, { lineCounter: lines, merge: true, uniqueKeys: false }), lines };
      this.#parsed.set(file, placed);
    }
    return placeAt(file, text, offsetOf(placed.document, trail), placed.lines);
  }
}

/** The place of a character offset. */
export function placeAt(file: string, text: string, offset: number, lines: LineCounter): Place {
  const { line, col } = lines.linePos(Math.min(offset, text.length));
  const start = lines.lineStarts[line - 1] ?? 0;
  const end = text.indexOf("\n", start);
  return {
    file,
    line: Math.max(line, 1),
    column: Math.max(col, 1),
    text: text
      .slice(start, end < 0 ? undefined : end)
      .replace(/\r$/, "")
      .slice(0, 500),
  };
}

function offsetOf(document: Document, trail: JsonTrail): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const key of trail) {
    const next = childOf(document, node, key);
    if (!next) break;
    offset = next.offset;
    node = next.node;
  }
  return offset;
}

function childOf(document: Document, parent: unknown, key: string | number): { node: unknown; offset: number } | undefined {
  const node = isNode(parent) && "source" in parent && !isScalar(parent) ? parent.resolve(document) : parent;
  if (isSeq(node)) {
    const item = node.items[Number(key)];
    return item === undefined ? undefined : { node: item, offset: startOf(item) };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find((one) => isPair(one) && isScalar(one.key) && String(one.key.value) === String(key));
  return pair && { node: pair.value, offset: startOf(pair.key) };
}

function startOf(node: unknown): number {
  return isNode(node) ? ((node as Node).range?.[0] ?? 0) : 0;
}
