/**
 * Which export serves which operation, now that the exports are known: those that the service file names, those that are named as
 * operationIds in the app's file of functions, and its default export for what nothing else serves.
 */
import { relative } from "node:path";
import { methods } from "../config/app.ts";
import type { App, AppOperation, FunctionOperation, FunctionReference, FunctionsFile, Method } from "../config/app.ts";
import { operationShape } from "../config/path-template.ts";
import type { BuiltModule } from "../build/build.ts";
import type { Contract, ContractOperation } from "../contract/contract.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { nearest } from "../core/suggest.ts";

/** Path of an operation that serves every path of the app that no other does. */
export const everyPath = "/*";

export interface JoinedFunctions {
  /** The service file's in its order, each function with its export; then those of the file of functions. */
  readonly operations: readonly AppOperation[];
  readonly diagnostics: readonly Diagnostic[];
}

export function joinFunctions(app: App, contract: Contract | undefined, modules: readonly BuiltModule[]): JoinedFunctions {
  const join = new Join(app, contract, modules);
  return join.result();
}

/** Files of functions that an app names, each once: what is built. */
export function functionFiles({ functions, operations, listeners }: App): readonly string[] {
  const named = operations.flatMap((operation) => (operation.kind === "function" ? [operation.function.file] : []));
  return [
    ...new Set([...(functions === undefined ? [] : [functions.file]), ...named, ...listeners.map((listener) => listener.function.file)]),
  ];
}

class Join {
  readonly #app: App;
  readonly #contract: Contract | undefined;
  readonly #modules: ReadonlyMap<string, BuiltModule>;
  readonly #byShape: ReadonlyMap<string, ContractOperation>;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(app: App, contract: Contract | undefined, modules: readonly BuiltModule[]) {
    this.#app = app;
    this.#contract = contract;
    this.#modules = new Map(modules.map((module) => [module.file, module]));
    this.#byShape = new Map((contract?.operations ?? []).map((operation) => [operationShape(operation), operation]));
  }

  result(): JoinedFunctions {
    const { operations, listeners, functions } = this.#app;
    const named = operations.map((operation) =>
      operation.kind === "function" ? { ...operation, function: this.#resolve(operation.function, this.#idOf(operation)) } : operation,
    );
    for (const listener of listeners) this.#resolve(listener.function, undefined);
    const module = functions && this.#modules.get(functions.file);
    const others = functions === undefined || module === undefined ? [] : this.#fromFile(functions, module, named);
    return { operations: [...named, ...others], diagnostics: this.#diagnostics };
  }

  #idOf(operation: AppOperation): string | undefined {
    return this.#byShape.get(operationShape(operation))?.operationId;
  }

  /** A reference with the export that is meant. */
  #resolve(reference: FunctionReference, operationId: string | undefined): FunctionReference {
    const module = this.#modules.get(reference.file);
    if (module === undefined) return reference;
    const wanted = reference.named ? [reference.export] : [...(operationId === undefined ? [] : [operationId]), "default"];
    const found = wanted.find((name) => module.exports.includes(name));
    if (found !== undefined) return { ...reference, export: found };
    if (module.exportsKnown) this.#tellMissing(reference, wanted, module);
    return reference;
  }

  #tellMissing({ place }: FunctionReference, wanted: readonly string[], module: BuiltModule): void {
    const [first = ""] = wanted;
    const file = this.#shown(module.file);
    const message =
      wanted.length === 1
        ? `${file} has no export ${quoted(first)}`
        : `${file} exports neither ${quoted(first)}, the operationId, nor a default`;
    this.#diagnostics.push({ severity: "error", place, message, hint: hintOf(first, module) });
  }

  /** What the app's file of functions serves, beside what the service file names. */
  #fromFile(functions: FunctionsFile, module: BuiltModule, named: readonly AppOperation[]): readonly FunctionOperation[] {
    const served = new Set(named.map(operationShape));
    const exported = new Set(module.exports);
    const free = (this.#contract?.operations ?? []).filter((operation) => !served.has(operationShape(operation)));
    const byName = free.filter(({ operationId }) => operationId !== undefined && operationId !== "default" && exported.has(operationId));
    const made = byName.map((operation) => this.#operation(functions, operation, operation.operationId ?? "default"));
    for (const operation of made) served.add(operationShape(operation));
    this.#tellNearMisses(functions, module, free);
    if (exported.has("default")) return [...made, ...this.#byDefault(functions, served)];
    if (made.length === 0 && module.exportsKnown) this.#tellUseless(functions, named);
    return made;
  }

  /** A HEAD of the contract is GET's, where GET has a handler. */
  #byDefault(functions: FunctionsFile, served: ReadonlySet<string>): readonly FunctionOperation[] {
    if (this.#contract === undefined) return methods.map((method) => this.#operation(functions, { method, path: everyPath }, "default"));
    return this.#contract.operations
      .filter((operation) => !served.has(operationShape(operation)))
      .filter(
        ({ method, path }) =>
          method !== "HEAD" ||
          !(served.has(operationShape({ method: "GET", path })) || this.#byShape.has(operationShape({ method: "GET", path }))),
      )
      .map((operation) => this.#operation(functions, operation, "default"));
  }

  #operation(
    { file, place }: FunctionsFile,
    { method, path }: { readonly method: string; readonly path: string },
    name: string,
  ): FunctionOperation {
    return {
      kind: "function",
      path,
      method: method as Method,
      timeoutMs: this.#app.timeoutMs,
      validateOut: false,
      place,
      function: { file, export: name, named: true, place },
    };
  }

  /** Exports may be helpers: one is only told of when its name is nearly that of an operation that nothing serves. */
  #tellNearMisses({ place, file }: FunctionsFile, module: BuiltModule, free: readonly ContractOperation[]): void {
    const known = new Set((this.#contract?.operations ?? []).map(({ operationId }) => operationId));
    const wanted = free.flatMap(({ operationId }) =>
      operationId === undefined || module.exports.includes(operationId) ? [] : [operationId],
    );
    for (const name of module.exports) {
      const near = name === "default" || known.has(name) ? undefined : nearest(name, wanted);
      if (near === undefined) continue;
      const message = `${this.#shown(file)} exports ${quoted(name)}, which is no operationId of the contract`;
      this.#diagnostics.push({ severity: "warning", place, message, hint: `Did you mean ${quoted(near)}?` });
    }
  }

  #tellUseless({ place, file }: FunctionsFile, named: readonly AppOperation[]): void {
    const usedElsewhere = named.some((operation) => operation.kind === "function" && operation.function.file === file);
    if (this.#contract === undefined)
      this.#diagnostics.push({
        severity: "error",
        place,
        message: `${this.#shown(file)} serves nothing: there is no contract whose operationIds its exports could be, and no default export`,
        hint: "Add `openapi:` with the contract's file, or export a default: an object with fetch(request, ctx)",
      });
    else if (!usedElsewhere)
      this.#diagnostics.push({
        severity: "warning",
        place,
        message: `${this.#shown(file)} serves nothing: no export of it is named as an operationId of the contract`,
        hint: `The contract has ${someOf(this.#contract.operations.flatMap(({ operationId }) => operationId ?? []))}`,
      });
  }

  #shown(file: string): string {
    return relative(this.#app.folder, file);
  }
}

/** Names that a hint shows. */
const shownMax = 8;

function hintOf(wanted: string, { exports }: BuiltModule): string {
  const near = nearest(wanted, exports);
  if (near !== undefined) return `Did you mean ${quoted(near)}?`;
  return exports.length === 0 ? "It exports nothing: write `export` before the function" : `It exports ${someOf(exports)}`;
}

function someOf(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length > shownMax ? ` and ${names.length - shownMax} more` : "";
  return `${names.slice(0, shownMax).join(", ")}${more}`;
}

const quoted = (name: string): string => JSON.stringify(name);
