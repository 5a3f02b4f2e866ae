/**
 * YAML (and JSON, which YAML contains) → values that know where they stand. The `yaml` package parses; here its nodes
 * become ours: keys are texts and unique, aliases and merge keys are followed, and a file that would unfold to more than
 * was written by much (a "billion laughs") is refused.
 */
import { isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Alias, Node, Pair, Scalar, YAMLMap, YAMLSeq, YAMLParseError } from "yaml";
import { yamlFaults } from "../core/yaml-fault.ts";
import type { Reading } from "./reading.ts";
import { quoted } from "./value.ts";
import type { Entry, Spot, Text, Value } from "./value.ts";

/** Values that aliases and merge keys may add to those that were written. */
export const aliasedValuesMax = 100_000;
/** A service file needs seven levels; far deeper ones exhaust the stack. */
export const depthMax = 64;

/**
 * Reads a document. What is wrong with it as YAML goes to `reading`; nothing is returned when there is no value to check
 * (a syntax error, an empty file).
 */
export function readYaml(text: string, reading: Reading): Value | undefined {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  if (document.errors.length > 0) {
    tellSyntaxErrors(text, document.errors, reading);
    return undefined;
  }
  if (document.contents === null) {
    reading.error({ offset: 0 }, "The file is empty", "Run `urocket init` in an empty folder to see a complete one");
    return undefined;
  }
  const conversion = new Conversion(reading);
  const value = conversion.convert(document.contents);
  return conversion.refused ? undefined : value;
}

function tellSyntaxErrors(text: string, errors: readonly YAMLParseError[], reading: Reading): void {
  const exhausted = errors.find((error) => error.code === "RESOURCE_EXHAUSTION");
  if (exhausted) return reading.error({ offset: exhausted.pos[0] }, `Values are nested more than ${depthMax} deep`);
  // A file of several documents is told by its place alone: the library's advice is for programmers.
  const second = errors.find((error) => error.code === "MULTIPLE_DOCS");
  if (second) return reading.error({ offset: second.pos[0] }, "A second document starts here; a service file is one");
  for (const { offset, message, hint } of yamlFaults(text, errors)) reading.error({ offset }, message, hint);
}

class Conversion {
  readonly #reading: Reading;
  readonly #anchors = new Map<string, Value | "unfinished">();
  /** How many values an anchored one unfolds to. */
  readonly #sizes = new WeakMap<Value, number>();
  #aliased = 0;
  /** An alias could not be followed: what stands in its place would only cause more complaints. */
  refused = false;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  convert(root: Node): Value {
    return this.#node(root, 0);
  }

  #node(node: unknown, depth: number): Value {
    const at = spotOf(node);
    if (depth > depthMax) return this.#refuse(at, `Values are nested more than ${depthMax} deep`);
    if (isAlias(node)) return this.#alias(node, at);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, "unfinished");
    const value = this.#plain(node, at, depth);
    if (anchor !== undefined) this.#anchors.set(anchor, value);
    return value;
  }

  #plain(node: unknown, at: Spot, depth: number): Value {
    if (isMap(node)) return this.#sized(this.#mapping(node, at, depth));
    if (isSeq(node)) return this.#sized(this.#list(node, at, depth));
    if (isScalar(node)) return scalar(node, at);
    return { kind: "nothing", ...at };
  }

  #list(node: YAMLSeq, at: Spot, depth: number): Value {
    return { kind: "list", ...at, ...tagOf(node), items: node.items.map((item) => this.#node(item, depth + 1)) };
  }

  #mapping(node: YAMLMap, at: Spot, depth: number): Value {
    const entries = new Map<string, Entry>();
    const merges: Value[] = [];
    for (const pair of node.items) {
      if (isMergeKey(pair)) merges.push(this.#node(pair.value, depth + 1));
      else this.#entry(pair, entries, at, depth);
    }
    for (const merge of merges) this.#merge(merge, entries);
    return { kind: "mapping", ...at, ...tagOf(node), entries: [...entries.values()] };
  }

  #entry(pair: Pair, entries: Map<string, Entry>, within: Spot, depth: number): void {
    const key = this.#key(pair.key, within);
    const value =
      pair.value === null || pair.value === undefined
        ? ({ kind: "nothing", ...spotOf(pair.key, within) } as const)
        : this.#node(pair.value, depth + 1);
    if (key === undefined) return;
    const first = entries.get(key.text);
    if (first === undefined) entries.set(key.text, { key, value, merged: false });
    else
      this.#reading.error(
        key,
        `The key ${quoted(key.text)} is there twice`,
        `It stands first on line ${this.#reading.placeOf(first.key).line}; keep one`,
      );
  }

  #key(node: unknown, within: Spot): Text | undefined {
    if (isAlias(node)) {
      const value = this.#alias(node, spotOf(node));
      if (value.kind === "text") return { ...value, ...spotOf(node) };
    }
    if (isScalar(node))
      return { kind: "text", ...spotOf(node), text: typeof node.value === "string" ? node.value : (node.source ?? String(node.value)) };
    this.#reading.error(spotOf(node, within), "A key must be a text", "Put quotes around a text that starts with { or [");
    return undefined;
  }

  /** https://yaml.org/type/merge.html: own keys go before merged ones, earlier merged ones before later. */
  #merge(merge: Value, entries: Map<string, Entry>): void {
    for (const source of merge.kind === "list" ? merge.items : [merge]) {
      if (source.kind !== "mapping") {
        if (!this.refused)
          this.#reading.error(
            source,
            'The merge key "<<" takes a mapping, or a list of mappings',
            "Write `<<: *name`, where `&name` stands before a mapping",
          );
        continue;
      }
      if (!this.#unfold(source.entries.length, source)) return;
      for (const entry of source.entries) if (!entries.has(entry.key.text)) entries.set(entry.key.text, { ...entry, merged: true });
    }
  }

  #alias(node: Alias, at: Spot): Value {
    const target = this.#anchors.get(node.source);
    if (target === undefined)
      return this.#refuse(
        at,
        `The alias "*${node.source}" has no anchor before it`,
        `Write \`&${node.source}\` before the value that is meant`,
      );
    if (target === "unfinished") return this.#refuse(at, `The alias "*${node.source}" stands within the value that it names`);
    if (!this.#unfold(this.#sizeOf(target), at)) return { kind: "nothing", ...at };
    return target;
  }

  #unfold(values: number, at: Spot): boolean {
    this.#aliased += values;
    if (this.#aliased <= aliasedValuesMax) return true;
    if (!this.refused) this.#refuse(at, `Aliases and merge keys unfold to more than ${aliasedValuesMax} values`);
    return false;
  }

  #sized(value: Value): Value {
    this.#sizes.set(value, 1 + childrenOf(value).reduce((sum, child) => sum + this.#sizeOf(child), 0));
    return value;
  }

  #sizeOf(value: Value): number {
    return this.#sizes.get(value) ?? 1;
  }

  #refuse(at: Spot, message: string, hint?: string): Value {
    this.refused = true;
    this.#reading.error(at, message, hint);
    return { kind: "nothing", ...at };
  }
}

function childrenOf(value: Value): readonly Value[] {
  if (value.kind === "list") return value.items;
  return value.kind === "mapping" ? value.entries.map((entry) => entry.value) : [];
}

function scalar(node: Scalar, at: Spot): Value {
  const { value } = node;
  const tag = tagOf(node);
  const source = node.source ?? String(value);
  if (typeof value === "string") return { kind: "text", ...at, ...tag, text: value };
  if (typeof value === "boolean") return { kind: "boolean", ...at, ...tag, boolean: value, text: source };
  if (typeof value === "number") return { kind: "number", ...at, ...tag, number: value, text: source };
  if (value === null || value === undefined) return { kind: "nothing", ...at, ...tag };
  return { kind: "text", ...at, ...tag, text: source };
}

function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.type === "PLAIN" && pair.key.source === "<<";
}

/** Tags that the parser has applied, and that say nothing more. */
const applied = new Set(["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`));

function tagOf(node: Scalar | YAMLMap | YAMLSeq): { readonly tag?: string } {
  return node.tag === undefined || applied.has(node.tag) ? {} : { tag: node.tag.replace("tag:yaml.org,2002:", "!!") };
}

function spotOf(node: unknown, otherwise: Spot = { offset: 0 }): Spot {
  const ranged = isScalar(node) || isAlias(node) || isMap(node) || isSeq(node);
  return ranged && node.range ? { offset: node.range[0] } : otherwise;
}
