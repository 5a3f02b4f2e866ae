/**
 * Types of an app's function sources, checked by the runtime's own checker with the app's tsconfig.json, or without one by defaults
 * that fit what the runtime does. An app must not be refused because nobody installed the types of the platform: what is
 * missing of those is not told.
 */
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import { ownFiles } from "./own-package.ts";
import { runOwn } from "./own-process.ts";

export interface TypeCheckRequest {
  /** The app's, absolute. */
  readonly folder: string;
  /** Source files, absolute. */
  readonly files: readonly string[];
  /** A folder of the check's own, there and empty. */
  readonly work: string;
  /** The app's folder of packages, absolute. */
  readonly packages: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface TypeCheck {
  readonly diagnostics: readonly Diagnostic[];
  /** The app's files that were looked at, absolute, without those of packages. */
  readonly files: readonly string[];
}

/** Type errors that are told of one app. */
export const typeErrorsMax = 100;

const typed = /\.[cm]?tsx?$/;

export async function checkTypes(request: TypeCheckRequest): Promise<TypeCheck> {
  const sources = request.files.filter((file) => typed.test(file));
  if (sources.length === 0) return { diagnostics: [], files: [] };
  await writeProject(request, sources);
  const args = ["check", "--no-script", "--no-pretty", "--all", "--listFiles", "-p", join(request.work, "tsconfig.json")];
  const end = await runOwn(args, { folder: request.work, signal: request.signal });
  if (end.ended !== "itself") return { diagnostics: [notChecked(request, end.ended)], files: [] };
  const { faults, files } = readOutput(end.output, request);
  // Something other than types made it fail.
  if (end.exitCode !== 0 && faults.length === 0) return { diagnostics: [notChecked(request, firstLine(end.errors))], files };
  const judged = faults.flatMap((fault) => judge(fault, request.folder) ?? []).slice(0, typeErrorsMax);
  const told = await Promise.all(judged.map(toDiagnostic));
  return { diagnostics: told.filter((diagnostic) => !isOfPlatform(diagnostic)), files };
}

function notChecked({ folder }: TypeCheckRequest, why: string): Diagnostic {
  const reason = why === "time" ? "it took more than a minute" : why;
  return { severity: "warning", file: folder, message: `The types of its functions were not checked: ${reason}` };
}

const firstLine = (text: string): string => text.trim().split("\n", 1)[0] ?? "";

/** What the checker is told by files: an app's own folder stays as it is. */
async function writeProject({ folder, work, packages }: TypeCheckRequest, sources: readonly string[]): Promise<void> {
  const own = join(folder, "tsconfig.json");
  const hasOwn = existsSync(own);
  const types = join(work, "types");
  for (const [specifier, file] of Object.entries(ownFiles)) {
    const declaration = join(types, `${specifier}.d.ts`);
    await mkdir(join(declaration, ".."), { recursive: true });
    await writeFile(declaration, `export * from ${JSON.stringify(file)};\n`);
  }
  await standInForPlatform(types, packages);
  if (packages !== undefined) await symlink(packages, join(work, "node_modules"));
  const typeRoots = [types, ...(packages === undefined ? [] : [join(packages, "@types")])];
  const project = {
    ...(hasOwn ? { extends: own } : {}),
    compilerOptions: { ...(hasOwn ? {} : defaultOptions(packages)), ...bundlerOptions, typeRoots },
    files: sources,
    include: [],
    references: [],
  };
  await writeFile(join(work, "tsconfig.json"), JSON.stringify(project));
}

/**
 * Types of the platform that a tsconfig.json may name, and that are not among the app's `@types`: the checker looks at nothing else
 * where one of them is missing.
 */
async function standInForPlatform(types: string, packages: string | undefined): Promise<void> {
  for (const name of ["bun", "bun-types", "node"]) {
    if (packages !== undefined && existsSync(join(packages, "@types", name))) continue;
    const installed = packages === undefined ? undefined : join(packages, name, "index.d.ts");
    const found = name === "bun-types" && installed !== undefined && existsSync(installed);
    await mkdir(join(types, name));
    const text = found ? `/// <reference path=${JSON.stringify(installed)} />\n` : standIn(name);
    await writeFile(join(types, name, "index.d.ts"), text);
  }
}

/** An import of such a name leads here too: it has whatever is asked of it. */
const standIn = (name: string): string => `declare module ${JSON.stringify(name)};\n`;

/** What the bundler does, whatever an app's own options say of another way to build it. */
const bundlerOptions = {
  noEmit: true,
  composite: false,
  incremental: false,
  declaration: false,
  declarationMap: false,
  emitDeclarationOnly: false,
  isolatedDeclarations: false,
  rootDir: "/",
  module: "Preserve",
  moduleResolution: "bundler",
  moduleDetection: "force",
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  skipLibCheck: true,
};

/** Of an app without a tsconfig.json. Strict, but that what has no type may be anything: untyped packages are usual. */
function defaultOptions(packages: string | undefined): object {
  const installed = ["bun", "node"].filter((name) => packages !== undefined && existsSync(join(packages, "@types", name)));
  return {
    target: "ESNext",
    lib: ["ESNext", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    strict: true,
    noImplicitAny: false,
    useUnknownInCatchVariables: false,
    allowJs: true,
    checkJs: false,
    jsx: "react-jsx",
    types: installed,
  };
}

/** Whether a member that the checker does not know is one that the runtime has: `ReadableStream.from`, of a stream `text()`. */
function isOfPlatform({ place, message }: Diagnostic): boolean {
  const [, member, type, code] = /^Property '(\w+)' does not exist on type '(?:typeof )?(\w*).*\(TS(2339|2550|2551)\)$/.exec(message) ?? [];
  if (member === undefined || code === undefined) return false;
  const [owner] = /\w+(?=\s*\??\.\s*$)/.exec(place?.text?.slice(0, place.column - 1) ?? "") ?? [];
  return hasMember(globalOf(owner), member) || hasMember(globalOf(type)?.["prototype"], member);
}

/** A class or namespace of the platform. */
function globalOf(name: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const found: unknown = name !== undefined && /^[A-Z]/.test(name) ? Reflect.get(globalThis, name) : undefined;
  return isBearing(found) ? found : undefined;
}

const isBearing = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "function" || (typeof value === "object" && value !== null);

const hasMember = (value: unknown, member: string): boolean => isBearing(value) && member in value;

interface Fault {
  /** Absolute; undefined: of the project as a whole. */
  readonly file: string | undefined;
  readonly line: number;
  readonly column: number;
  readonly code: number;
  readonly message: string;
  readonly more: string[];
}

const faultLine = /^(?:(.+?)\((\d+),(\d+)\): )?error TS(\d+): (.*)$/;

/** The checker's lines: faults with their indented continuations, then the files that it read. */
function readOutput(
  output: string,
  { folder, work }: TypeCheckRequest,
): { readonly faults: readonly Fault[]; readonly files: readonly string[] } {
  const faults: Fault[] = [];
  const files: string[] = [];
  for (const line of output.split("\n")) {
    const [whole, file, row, column, code, message] = faultLine.exec(line) ?? [];
    if (whole !== undefined) {
      const place = { line: Number(row ?? 1), column: Number(column ?? 1), code: Number(code), message: message ?? "" };
      faults.push({ file: file === undefined ? undefined : resolve(work, file), ...place, more: [] });
    } else if (line.startsWith("  ")) faults.at(-1)?.more.push(line.trim());
    else if (line.startsWith("/") && isOwn(line, folder)) files.push(line);
  }
  return { faults, files };
}

function isOwn(file: string, folder: string): boolean {
  return file.startsWith(folder + sep) && !file.includes(`${sep}node_modules${sep}`);
}

/** Names that the runtime has, and that are unknown where nobody installed its types. */
const platformNames = new Set(["__dirname", "__filename", "require", "module", "exports", "NodeJS", "Timer", "BufferEncoding"]);

/**
 * - 7016, 2307, 2732, 2792: a module without types; that it is there, the bundler has seen to;
 * - 2709: what such a module exports is used as a type;
 * - 2580-2584, 2591-2593, 2867, 2868: types of Node.js, Bun or a test runner are not installed.
 */
const missingTypes = new Set([7016, 2307, 2732, 2792, 2709, 2580, 2581, 2582, 2583, 2584, 2591, 2592, 2593, 2867, 2868]);

/** Undefined: not to be told. */
function judge(fault: Fault, folder: string): (Fault & { readonly severity: Diagnostic["severity"] }) | undefined {
  const { file, code, message } = fault;
  // Options that do not fit together, and what is not used: no reason not to serve.
  if (code >= 5000 && code < 7000) return { ...fault, file: file ?? join(folder, "tsconfig.json"), severity: "warning" };
  if (file === undefined) return { ...fault, file: folder, severity: "warning" };
  if (!isOwn(file, folder) || missingTypes.has(code)) return undefined;
  if (code === 2304 || code === 2503) {
    const [, name = ""] = /'([^']+)'/.exec(message) ?? [];
    if (platformNames.has(name) || name in globalThis) return undefined;
  }
  if (code === 2339 && message.includes("type 'ImportMeta'")) return undefined;
  return { ...fault, severity: "error" };
}

async function toDiagnostic({
  file,
  line,
  column,
  code,
  message,
  more,
  severity,
}: Fault & Pick<Diagnostic, "severity">): Promise<Diagnostic> {
  const told = {
    severity,
    message: `${message.replace(/\.$/, "")} (TS${code})`,
    ...(more.length === 0 ? {} : { hint: more.join("\n  ") }),
  };
  const text = file === undefined ? undefined : await lineOf(file, line);
  if (file === undefined || text === undefined) return { ...told, ...(file === undefined ? {} : { file }) };
  return { ...told, place: { file, line, column, text } };
}

async function lineOf(file: string, line: number): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).split(/\r?\n/)[line - 1];
  } catch {
    return undefined;
  }
}
