/**
 * Which exports a module has, by its text. Of CommonJS only the usual forms can be told (`exports.name = …`,
 * `module.exports = { name, … }`): its exports are what its code makes of them.
 */
import { readFileSync } from "node:fs";
import { extname } from "node:path";

export interface ModuleExports {
  /** Names of values, "default" among them. */
  readonly exports: readonly string[];
  /** False: there may be more. */
  readonly exportsKnown: boolean;
}

/** For each file what its imports mean: specifier → file. */
export type ModuleGraph = ReadonlyMap<string, ReadonlyMap<string, string>>;

type Loader = "ts" | "tsx" | "js" | "jsx";

const loaders: Readonly<Record<string, Loader>> = { ".tsx": "tsx", ".jsx": "jsx", ".ts": "ts", ".mts": "ts", ".cts": "ts" };

/** `export * from "…"`, as the transpiler writes it: on a line of its own, whatever it looked like. */
const star = /^export \* from "((?:[^"\\]|\\.)+)";?$/gm;

/** @throws when the file cannot be read or parsed; it was bundled before, so that it can be. */
export function exportsOf(file: string, graph: ModuleGraph, seen: ReadonlySet<string> = new Set()): ModuleExports {
  const loader = loaders[extname(file)] ?? "js";
  if (!/\.[cm]?[jt]sx?$/.test(file)) return { exports: ["default"], exportsKnown: true };
  const transpiler = new Bun.Transpiler({ loader, target: "bun" });
  const text = readFileSync(file, "utf8");
  const { exports: named, imports } = transpiler.scan(text);
  const isModule = named.length > 0 || imports.some(({ kind }) => kind === "import-statement");
  if (!isModule && isCommonJs(text)) return { exports: commonJsExports(text), exportsKnown: false };
  const names = new Set(named.filter((name) => name !== "*"));
  let known = true;
  if (/\bexport\s*\*/.test(text)) {
    for (const [, specifier = ""] of transpiler.transformSync(text).matchAll(star)) {
      const next = graph.get(file)?.get(specifier);
      const from = next === undefined || seen.has(next) ? undefined : exportsOf(next, graph, new Set([...seen, file]));
      for (const name of from?.exports ?? []) if (name !== "default") names.add(name);
      known &&= next !== undefined && (from?.exportsKnown ?? true);
    }
  }
  return { exports: [...names].toSorted(), exportsKnown: known };
}

const isCommonJs = (text: string): boolean => /\b(?:module\.exports|exports\s*[.[])/.test(text);

const identifier = "[\\p{ID_Start}$_][\\p{ID_Continue}$]*";
const assigned = new RegExp(`\\bexports\\.(${identifier})\\s*=(?!=)`, "gu");
const member = new RegExp(`^\\s*(?:async\\b\\s*)?\\*?\\s*(${identifier})\\s*(?:[:(]|$)`, "u");

function commonJsExports(text: string): readonly string[] {
  const names = new Set(["default"]);
  for (const [, name = ""] of text.matchAll(assigned)) names.add(name);
  const object = /\bmodule\.exports\s*=\s*\{/.exec(text);
  if (object !== null) {
    for (const written of membersAt(text, object.index + object[0].length)) {
      const name = member.exec(written)?.[1];
      if (name !== undefined) names.add(name);
    }
  }
  return [...names].toSorted();
}

const tokens = /(["'`])(?:(?!\1)[^\\]|\\[\s\S])*\1|\/\/.*|\/\*[\s\S]*?\*\/|[()[\]{},]/g;

/** The members of an object literal, from behind its brace. Regular expressions in it are taken for what they look like. */
function membersAt(text: string, start: number): readonly string[] {
  const members: string[] = [];
  let depth = 0;
  let from = start;
  tokens.lastIndex = start;
  for (let token = tokens.exec(text); token !== null; token = tokens.exec(text)) {
    const [written] = token;
    if ("([{".includes(written)) depth++;
    const ends = ")]}".includes(written) && --depth < 0;
    if (ends || (written === "," && depth === 0)) members.push(text.slice(from, token.index));
    if (ends) break;
    if (written === "," && depth === 0) from = token.index + 1;
  }
  return members;
}
