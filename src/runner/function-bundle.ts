/** An app's functions as they are imported: one file with all of them, and in it the exports that the service file names. */
import type { FunctionSpec, FunctionsSpec } from "../link/messages.ts";
import { failureText } from "./function-failure.ts";

export type FoundExport =
  /** Called with what its author declared: (input, ctx), or (line, ctx). */
  | { readonly kind: "function"; readonly call: (...args: readonly unknown[]) => unknown }
  /** The Fetch-handler convention: an object with `fetch(request, ctx)`. */
  | { readonly kind: "fetch"; readonly call: (...args: readonly unknown[]) => unknown };

export type FoundExports =
  | { readonly ok: true; readonly calls: readonly FoundExport[]; readonly listeners: readonly FoundExport[] }
  | { readonly ok: false; readonly message: string };

/** Imports an app's bundle, which runs its modules' code, and finds what the spec names in it. */
export async function importFunctions(spec: FunctionsSpec): Promise<FoundExports> {
  let modules: readonly unknown[];
  try {
    modules = modulesOf(await import(spec.bundle));
  } catch (error) {
    return { ok: false, message: `cannot load its functions: ${failureText(error)}` };
  }
  const calls: FoundExport[] = [];
  const listeners: FoundExport[] = [];
  const faults = new Map<string, string[]>();
  for (const one of spec.calls) keep(one, findExport(modules, one, true), calls, faults);
  for (const one of spec.listeners) keep(one, findExport(modules, one, false), listeners, faults);
  return faults.size === 0 ? { ok: true, calls, listeners } : { ok: false, message: faultsText(faults) };
}

/** The bundle's default export is the list of modules; a bundle with bytecode is CommonJS, whose default is all of its exports. */
function modulesOf(bundle: unknown): readonly unknown[] {
  let it = bundle;
  for (let depth = 0; depth < 2 && !Array.isArray(it); depth++) it = property(it, "default");
  if (!Array.isArray(it)) throw new TypeError("its default export is not a list of modules");
  return it;
}

function keep(spec: FunctionSpec, found: FoundExport | string, into: FoundExport[], faults: Map<string, string[]>): void {
  if (typeof found !== "string") return void into.push(found);
  const operations = faults.get(found);
  if (operations === undefined) faults.set(found, [spec.operation]);
  else operations.push(spec.operation);
}

/** Each fault once, with what it keeps from being served. */
function faultsText(faults: ReadonlyMap<string, readonly string[]>): string {
  return [...faults].map(([fault, operations]) => `cannot serve ${listText(operations)}: ${fault}`).join("; ");
}

/** Operations named of one fault. */
const namedMax = 3;

function listText(operations: readonly string[]): string {
  const more = operations.length - namedMax;
  return operations.slice(0, namedMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Or in words why it cannot be called. */
function findExport(modules: readonly unknown[], spec: FunctionSpec, mayFetch: boolean): FoundExport | string {
  const value = property(modules[spec.module], spec.export);
  if (isCallable(value)) return { kind: "function", call: value };
  const fetch = mayFetch && spec.export === "default" ? property(value, "fetch") : undefined;
  if (isCallable(fetch)) return { kind: "fetch", call: fetch.bind(value) };
  const what = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
  if (value === undefined) return `${spec.file ?? "its file"} has no export "${spec.export}"`;
  return `its export "${spec.export}"${spec.file === undefined ? "" : ` of ${spec.file}`} is ${what}, not a function${mayFetch && spec.export === "default" ? "; the default export may also be an object with fetch()" : ""}`;
}

function isCallable(value: unknown): value is (...args: readonly unknown[]) => unknown {
  return typeof value === "function";
}

function property(value: unknown, name: string): unknown {
  return (typeof value === "object" || typeof value === "function") && value !== null ? Reflect.get(value, name) : undefined;
}
