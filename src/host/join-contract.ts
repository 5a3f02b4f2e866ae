/** Which operation of the service file is which of the contract, and what is doubtful about those that are in one only. */
import { relative } from "node:path";
import type { App, AppOperation } from "../config/app.ts";
import { operationShape, requestPath, templateShape } from "../config/path-template.ts";
import type { Contract, ContractOperation } from "../contract/contract.ts";
import type { Diagnostic, Place } from "../core/diagnostic.ts";
import { nearest } from "../core/suggest.ts";

/**
 * One (path, verb) of the service file, of the contract, or of both. They are the same operation when verb and path
 * template agree, whatever the parameters are called: `/pets/{id}` is `/pets/{petId}`.
 */
export interface JoinedOperation {
  /** "GET /pets/{petId}": the verb and `path`. */
  readonly key: string;
  /**
   * The path template, without the app's base. Where the contract has the operation it is the contract's, so that its
   * names of parameters are those that programs get (UROCKET_PARAM_PETID).
   */
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  /** Absent: the contract has it, the service file does not; it is answered 501. */
  readonly handler?: AppOperation;
  /** Absent: it is not in the contract, or there is no contract; it is served unvalidated. */
  readonly contract?: ContractOperation;
}

export interface Joined {
  /** The service file's in its order, then the contract's others in its order. */
  readonly operations: readonly JoinedOperation[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The operations of an app that has no contract. */
export function withoutContract(app: App): readonly JoinedOperation[] {
  return app.operations.map((handler) => joined(handler, undefined));
}

/** Operations that the contract lacks for which its nearest path is looked for: each search compares all its paths. */
const hintsMax = 20;

export function joinContract(app: App, contract: Contract): Joined {
  const byShape = new Map(contract.operations.map((operation) => [operationShape(operation), operation]));
  const handled = app.operations.map((handler) => joined(handler, byShape.get(operationShape(handler))));
  const unhandled = withoutHandler(handled, contract);
  const doubts = app.operations
    .filter((handler) => !byShape.has(operationShape(handler)))
    .flatMap((handler, position) => tellMissing(handler, contract, position < hintsMax ? nearContract(handler, contract) : undefined));
  return { operations: [...handled, ...unhandled], diagnostics: [...doubts, ...tellUnreached(handled), ...tellUnhandled(unhandled, app)] };
}

function joined(handler: AppOperation, contract: ContractOperation | undefined): JoinedOperation {
  const path = contract?.path ?? handler.path;
  return { key: `${handler.method} ${path}`, path, method: handler.method, handler, ...(contract ? { contract } : {}) };
}

/** A HEAD of the contract is no operation of its own where GET has a handler: GET's answers it. */
function withoutHandler(handled: readonly JoinedOperation[], contract: Contract): readonly JoinedOperation[] {
  const served = new Set(handled.map(operationShape));
  for (const operation of handled) if (operation.method === "GET") served.add(operationShape({ method: "HEAD", path: operation.path }));
  return contract.operations
    .filter((operation) => !served.has(operationShape(operation)))
    .map((operation) => ({
      key: `${operation.method} ${operation.path}`,
      path: operation.path,
      method: operation.method,
      contract: operation,
    }));
}

/** Requests carry no fragment, and their query is no part of the path: such variants of one path cannot be told apart. */
function tellUnreached(handled: readonly JoinedOperation[]): readonly Diagnostic[] {
  const reached = new Map<string, JoinedOperation>();
  const told: Diagnostic[] = [];
  for (const operation of handled) {
    const shape = operationShape({ method: operation.method, path: requestPath(operation.path) });
    const first = reached.get(shape);
    if (first === undefined) reached.set(shape, operation);
    else if (operation.handler !== undefined) {
      const message = `${operation.key} is never reached: its requests are those of ${first.key}`;
      told.push({ severity: "warning", place: operation.handler.place, message, hint: "Give one of them a path of its own" });
    }
  }
  return told;
}

/** How many operations without a handler the one warning about them names. */
const namedMax = 5;

function tellUnhandled(unhandled: readonly JoinedOperation[], app: App): readonly Diagnostic[] {
  if (unhandled.length === 0) return [];
  const named = unhandled.slice(0, namedMax).map((operation) => operation.key);
  const more = unhandled.length > named.length ? ` and ${unhandled.length - named.length} more` : "";
  const subject =
    unhandled.length === 1
      ? "1 operation of the contract has no handler and is"
      : `${unhandled.length} operations of the contract have no handler and are`;
  const message = `${subject} answered 501: ${named.join(", ")}${more}`;
  return [
    {
      severity: "warning",
      file: app.file,
      message,
      hint: handlerHint(unhandled.length === 1 ? "it" : "them", app),
    },
  ];
}

function handlerHint(them: string, { functions, folder }: App): string {
  const under = `Give ${them} an \`inject:\` or a \`function:\` under \`paths:\``;
  return functions === undefined
    ? under
    : `${under}, or export functions named as their operationIds from ${relative(folder, functions.file)}`;
}

/** An operation that the contract lacks: wrong when it is told to be validated, meant when it is told not to be, else doubtful. */
function tellMissing(handler: AppOperation, contract: Contract, near: string | undefined): readonly Diagnostic[] {
  if (handler.validateIn === false && !handler.validateOut) return [];
  const lacks = `the contract has no ${handler.method} ${handler.path}`;
  const asked = askedToValidate(handler);
  if (asked) {
    const hint = near ?? `Add it to ${contract.file}, or take ${asked.key} out`;
    return [{ severity: "error", place: asked.place, message: `Cannot apply ${asked.key}: ${lacks}`, hint }];
  }
  const message = `${handler.method} ${handler.path} is served without validation: ${lacks}`;
  return [{ severity: "warning", place: handler.place, message, hint: near ?? "Write `validate-in: false` if that is meant" }];
}

function askedToValidate(handler: AppOperation): { readonly key: string; readonly place: Place } | undefined {
  if (handler.validateIn) return { key: "validate-in", place: handler.validateInPlace ?? handler.place };
  return handler.validateOut ? { key: "validate-out", place: handler.validateOutPlace ?? handler.place } : undefined;
}

function nearContract(handler: AppOperation, contract: Contract): string | undefined {
  const shape = templateShape(handler.path);
  const verbs = contract.operations.filter((operation) => templateShape(operation.path) === shape).map((operation) => operation.method);
  if (verbs.length > 0) return `The contract has ${verbs.join(", ")} for this path`;
  const paths = [...new Set(contract.operations.map((operation) => operation.path))];
  const tail = paths.find((path) => path !== "/" && shape.endsWith(templateShape(path)));
  if (tail !== undefined)
    return `The contract has ${tail}; if ${shape.slice(0, -templateShape(tail).length)} is its prefix, write it as \`base:\``;
  const near = nearest(handler.path, paths);
  return near === undefined ? undefined : `Did you mean ${near}?`;
}
