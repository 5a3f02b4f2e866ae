/**
 * The files of a contract as one graph: the document, every file that its `$ref`s lead to, and for each `$ref` what it
 * means. Nothing is copied in place of a reference, so recursion and documents of many thousand operations cost nothing.
 */
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Diagnostic, Place } from "../core/diagnostic.ts";
import { follow, isRecord, pathText, pointerTrail, type JsonTrail } from "./json.ts";
import { Places } from "./places.ts";
import { readSource, type SourceFile } from "./source.ts";
import { walk, type Visit } from "./walk.ts";

/** Files of one contract, at the most. */
export const filesMax = 10_000;
/** References that lead to references, at the most. */
const chainLengthMax = 100;

/** What a reference means. */
export interface Target {
  readonly value: unknown;
  /** The last segment of the reference, without a file's extension: "Pet" of "#/components/schemas/Pet". */
  readonly name: string;
}

export class Documents {
  readonly root: SourceFile;
  readonly files: ReadonlyMap<string, SourceFile>;
  readonly #targets: WeakMap<object, Target>;
  readonly #places = new Places();

  constructor(root: SourceFile, files: ReadonlyMap<string, SourceFile>, targets: WeakMap<object, Target>) {
    this.root = root;
    this.files = files;
    this.#targets = targets;
  }

  /** What an object's own `$ref` means; undefined when it has none. */
  target(holder: object): Target | undefined {
    return this.#targets.get(holder);
  }

  /** A value, or what it refers to, through as many references as it takes. */
  resolve(value: unknown): unknown {
    let at = value;
    for (let hops = 0; isRecord(at) && typeof at["$ref"] === "string" && hops < chainLengthMax; hops++) {
      const target = this.#targets.get(at);
      if (!target) return at;
      at = target.value;
    }
    return at;
  }

  /** Where a trail of the root document stands. */
  place(trail: JsonTrail): Place | undefined {
    return this.#places.find(this.root.path, this.root.text, trail);
  }
}

export type ReadDocuments =
  | { readonly ok: true; readonly documents: Documents; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly problems: readonly Diagnostic[] };

/** Reads every file that a document's references lead to. */
export async function readDocuments(root: SourceFile): Promise<ReadDocuments> {
  return new Reader(root).read();
}

interface Reference {
  readonly holder: object;
  readonly reference: string;
  /** The URI that it is relative to. */
  readonly base: string;
  readonly source: SourceFile;
}

class Reader {
  readonly #root: SourceFile;
  readonly #files = new Map<string, SourceFile>();
  readonly #references: Reference[] = [];
  /** Values by the URI of their `$id`, or of their file. */
  readonly #resources = new Map<string, unknown>();
  readonly #anchors = new Map<string, unknown>();
  readonly #targets = new WeakMap<object, Target>();
  readonly #problems: Diagnostic[] = [];
  readonly #warnings: Diagnostic[] = [];
  readonly #places = new Places();
  readonly #patterns = new Map<string, boolean>();

  constructor(root: SourceFile) {
    this.#root = root;
  }

  async read(): Promise<ReadDocuments> {
    this.#add(this.#root);
    // Grows while it is walked: files bring references of their own.
    for (const reference of this.#references) await this.#openFileOf(reference);
    for (const reference of this.#references) this.#settle(reference);
    if (this.#problems.length === 0) this.#refuseLoops();
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems };
    return { ok: true, documents: new Documents(this.#root, this.#files, this.#targets), warnings: this.#warnings };
  }

  #add(source: SourceFile): void {
    this.#files.set(source.path, source);
    const uri = pathToFileURL(source.path).href;
    this.#resources.set(uri, source.value);
    const visit: Visit = {
      reference: (holder, reference, base) => this.#references.push({ holder, reference, base, source }),
      identifier: (value, id) => this.#resources.set(id, value),
      anchor: (value, name, base) => this.#anchors.set(`${base}#${name}`, value),
      pattern: (holder, pattern) => this.#checkPattern(source, holder, pattern),
    };
    walk(source.value, uri, visit);
  }

  async #openFileOf(reference: Reference): Promise<void> {
    const uri = absolute(reference);
    if (uri === undefined) return this.#refuse(reference, `Cannot follow "${reference.reference}": it is not a valid URI reference`);
    const [resource] = splitFragment(uri);
    if (this.#resources.has(resource)) return;
    if (!resource.startsWith("file:")) {
      return this.#refuse(
        reference,
        `Cannot follow "${reference.reference}": only files are read, nothing is fetched`,
        "Save it beside the contract and refer to the file.",
      );
    }
    const path = fileURLToPath(resource);
    if (this.#files.size >= filesMax)
      return this.#refuse(reference, `Cannot follow "${reference.reference}": a contract has at most ${filesMax} files`);
    const read = await readSource(path);
    // Remembered also when it failed, so that each file is complained about once.
    this.#resources.set(resource, undefined);
    if (read.ok) return this.#add(read.source);
    if (read.problem.place) this.#problems.push(read.problem);
    else
      this.#refuse(
        reference,
        `Cannot follow "${reference.reference}": ${read.problem.message}`,
        `Paths are relative to ${dirname(reference.source.path)}.`,
      );
  }

  #settle(reference: Reference): void {
    const uri = absolute(reference);
    if (uri === undefined) return;
    const [resource, fragment] = splitFragment(uri);
    const root = this.#resources.get(resource);
    if (root === undefined) return;
    const value = this.#inside(resource, root, fragment);
    if (value === undefined)
      return this.#refuse(
        reference,
        `Cannot follow "${reference.reference}": there is nothing there`,
        "Check the spelling; in a JSON pointer / is written ~1 and ~ is written ~0.",
      );
    this.#targets.set(reference.holder, { value, name: nameOf(reference.reference) });
  }

  #inside(resource: string, root: unknown, fragment: string): unknown {
    if (fragment === "") return root;
    if (!fragment.startsWith("/")) return this.#anchors.get(`${resource}#${fragment}`);
    // A pointer may be relative to the resource or, as documents in the wild have it, to the file.
    return follow(root, pointerTrail(fragment)) ?? follow(this.#root.value, pointerTrail(fragment));
  }

  #refuseLoops(): void {
    for (const reference of this.#references) {
      let at: unknown = reference.holder;
      let hops = 0;
      while (isRecord(at) && typeof at["$ref"] === "string" && hops <= chainLengthMax) {
        at = this.#targets.get(at)?.value;
        hops++;
      }
      if (hops > chainLengthMax) {
        this.#refuse(
          reference,
          `Cannot follow "${reference.reference}": it leads back to itself, or through more than ${chainLengthMax} references`,
        );
        return;
      }
    }
  }

  #checkPattern(source: SourceFile, holder: object, pattern: string): void {
    if (this.#patterns.has(pattern)) return;
    const usable = compilePattern(pattern) !== undefined;
    this.#patterns.set(pattern, usable);
    if (usable) return;
    this.#warnings.push({
      severity: "warning",
      ...this.#where(source, holder, "pattern"),
      message: `Pattern ${JSON.stringify(pattern)} is not a regular expression and is not checked`,
      hint: "Patterns are ECMA-262 regular expressions, without slashes around them.",
    });
  }

  #refuse(reference: Reference, message: string, hint?: string): void {
    const where = this.#where(reference.source, reference.holder, "$ref");
    this.#problems.push({ severity: "error", ...where, message, ...(hint === undefined ? {} : { hint }) });
  }

  #where(source: SourceFile, holder: object, key: string): { readonly place?: Place; readonly file?: string } {
    const trail = trailOf(source.value, holder);
    const place = trail && this.#places.find(source.path, source.text, [...trail, key]);
    return place ? { place } : { file: `${source.path}${trail ? ` at $${pathText(trail)}` : ""}` };
  }
}

/** A regular expression of a schema: with the `u` flag as JSON Schema has it, without where only that works; undefined when it is none. */
export function compilePattern(pattern: string): RegExp | undefined {
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(pattern, flags);
    } catch {
      // The next flags, or nothing.
    }
  }
  return undefined;
}

function absolute(reference: Reference): string | undefined {
  if (reference.reference.startsWith("#")) return `${reference.base}${reference.reference}`;
  try {
    return new URL(reference.reference, reference.base).href;
  } catch {
    return undefined;
  }
}

function splitFragment(uri: string): readonly [resource: string, fragment: string] {
  const hash = uri.indexOf("#");
  return hash < 0 ? [uri, ""] : [uri.slice(0, hash), decoded(uri.slice(hash + 1))];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function nameOf(reference: string): string {
  const last = reference.slice(Math.max(reference.lastIndexOf("/"), reference.lastIndexOf("#")) + 1);
  return decoded(reference.includes("#/") ? last : last.replace(/\.(json|ya?ml)$/i, ""))
    .replaceAll("~1", "/")
    .replaceAll("~0", "~");
}

/** The way from a value to an object within, by identity. */
function trailOf(root: unknown, wanted: object): JsonTrail | undefined {
  const seen = new Set<unknown>();
  const open: { value: unknown; trail: JsonTrail }[] = [{ value: root, trail: [] }];
  for (let next = open.pop(); next; next = open.pop()) {
    if (next.value === wanted) return next.trail;
    if (typeof next.value !== "object" || next.value === null || seen.has(next.value)) continue;
    seen.add(next.value);
    for (const [key, value] of Object.entries(next.value)) {
      if (typeof value === "object" && value !== null)
        open.push({ value, trail: [...next.trail, Array.isArray(next.value) ? Number(key) : key] });
    }
  }
  return undefined;
}
