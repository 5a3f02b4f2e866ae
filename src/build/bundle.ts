/**
 * Makes the one file that instances import of an app's function sources. Runs in a process of its own (bundler-main.ts): the
 * bundler keeps memory, and a stranger's sources may make it slow. Nothing of the app is run.
 *
 * The bundle is CommonJS with bytecode where it can be. Top-level await needs a module instead, which has no bytecode.
 */
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BuildArtifact, BuildConfig, BuildOutput } from "bun";
import { importMeta, isStandIn, ownPackage } from "./bundle-plugins.ts";
import { exportsOf, type ModuleExports } from "./module-exports.ts";

export interface BundleRequest {
  /** Source files, absolute. */
  readonly files: readonly string[];
  /** Where the bundle is put: a folder of its own. */
  readonly into: string;
  /** Where it will lie when it is done, if that is known: what `import path from "./model.onnx"` starts with. */
  readonly lies?: string;
  /** Specifiers that authors import from urocket itself, and the files that they mean. */
  readonly own: Readonly<Record<string, string>>;
}

export const bundleName = "functions.js";

/** A message of the bundler, as data. */
export interface BundlerMessage {
  readonly level: "error" | "warning";
  readonly text: string;
  /** Absent: of no place. Line and column count from 1. */
  readonly position?: { readonly file: string; readonly line: number; readonly column: number; readonly lineText: string };
  /** Of an import that leads nowhere: what was imported. */
  readonly specifier?: string;
  readonly note?: string;
}

export type Bundled =
  | {
      readonly ok: true;
      readonly bytecode: boolean;
      /** Whether files lie beside it whose paths are in it. */
      readonly assets: boolean;
      /** Absolute paths of all that went into it, those of packages too. */
      readonly inputs: readonly string[];
      readonly modules: readonly ModuleExports[];
      readonly messages: readonly BundlerMessage[];
    }
  | { readonly ok: false; readonly messages: readonly BundlerMessage[] };

/** Packages that are left out of a bundle, one after the other, before it is given up. */
const externalsMax = 16;

export async function bundle(request: BundleRequest): Promise<Bundled> {
  const external = new Set<string>();
  for (;;) {
    const output = await attempt(request, [...external]);
    if (output.success) return succeeded(request, output);
    const messages = output.logs.map(toMessage);
    const culprits = messages.flatMap((message) => packageAt(message) ?? []).filter((name) => !external.has(name));
    // What a package imports that is not there may never be needed: the package is then loaded as it lies there, when it is.
    if (culprits.length === 0 || culprits.length < errorsIn(messages) || external.size >= externalsMax) return { ok: false, messages };
    for (const name of culprits) external.add(name);
  }
}

const errorsIn = (messages: readonly BundlerMessage[]): number => messages.filter(({ level }) => level === "error").length;

/** The package in which an error is. */
function packageAt({ level, position }: BundlerMessage): string | undefined {
  if (level !== "error" || position === undefined) return undefined;
  return /^.*?\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(position.file)?.[1];
}

async function attempt(request: BundleRequest, external: readonly string[]): Promise<BuildOutput> {
  const compiled = await build(request, external, { format: "cjs", bytecode: true }, false);
  if (compiled.success && hasBytecode(compiled)) return compiled;
  // The bundler replaces what it knows of `import.meta`; CommonJS can hold nothing of the rest.
  const without = compiled.success ? await build(request, external, { format: "cjs", bytecode: true }, true) : compiled;
  if (without.success && hasBytecode(without)) return without;
  return await build(request, external, { format: "esm" }, true);
}

/** Macros would run the app's code now. The types of the bundler's options lack this one. */
const withoutMacros: object = { macros: false };

const hasBytecode = ({ outputs }: BuildOutput): boolean => outputs.some(({ kind }: BuildArtifact) => kind === "bytecode");

async function build(
  { files, into, lies, own }: BundleRequest,
  external: readonly string[],
  form: Pick<BuildConfig, "format" | "bytecode">,
  replaceMeta: boolean,
): Promise<BuildOutput> {
  await rm(into, { recursive: true, force: true });
  const entry = resolve(bundleName);
  return await Bun.build({
    ...form,
    entrypoints: [entry],
    files: { [entry]: entryText(files) },
    outdir: into,
    ...(lies === undefined ? {} : { publicPath: `${lies}/` }),
    naming: "[name].[ext]",
    target: "bun",
    minify: { syntax: true, whitespace: true, identifiers: false },
    sourcemap: "external",
    define: { "process.env.NODE_ENV": '"production"' },
    ...withoutMacros,
    external: external.flatMap((name) => [name, `${name}/*`]),
    plugins: [ownPackage(own), ...(replaceMeta ? [importMeta(entry)] : [])],
    metafile: true,
    throw: false,
  });
}

/** Modules as they are, in a list: whoever imports the bundle finds each export by position and name. */
function entryText(files: readonly string[]): string {
  const imports = files.map((file, position) => `import * as m${position} from ${JSON.stringify(file)};\n`);
  return `${imports.join("")}export default [${files.map((_, position) => `m${position}`).join(", ")}];\n`;
}

function succeeded({ files, into }: BundleRequest, output: BuildOutput): Bundled {
  const graph = new Map(
    Object.entries(output.metafile?.inputs ?? {}).map(([path, { imports }]) => [
      resolve(path),
      new Map(imports.flatMap(({ original, path: found }) => (original === undefined ? [] : [[original, resolve(found)] as const]))),
    ]),
  );
  const entry = resolve(bundleName);
  return {
    ok: true,
    bytecode: output.outputs.some(({ path }) => path === join(into, `${bundleName}.jsc`)),
    assets: output.outputs.some(({ kind }) => kind === "asset"),
    // The bundler gives them in the order in which it was done with them.
    inputs: [...graph.keys()].filter((path) => path !== entry && !isStandIn(path)).toSorted(),
    modules: files.map((file) => exportsOf(file, graph)),
    messages: output.logs.map(toMessage),
  };
}

function toMessage(log: BuildMessage | ResolveMessage): BundlerMessage {
  const { position } = log;
  const [note] = "notes" in log && Array.isArray(log.notes) ? (log.notes as readonly { readonly message?: string }[]) : [];
  return {
    level: log.level === "error" ? "error" : "warning",
    text: log.message,
    ...(position?.file
      ? {
          position: {
            file: position.file,
            line: Math.max(1, position.line),
            column: Math.max(1, position.column),
            lineText: position.lineText,
          },
        }
      : {}),
    ...("specifier" in log && typeof log.specifier === "string" ? { specifier: log.specifier } : {}),
    ...(note?.message === undefined ? {} : { note: note.message }),
  };
}
