/** What an app's daemon serves: the operations of the contract that nothing else serves; without a contract, every path. */
import { type App, type AppOperation, methods, type ServiceOperation } from "../config/app.ts";
import { operationShape } from "../config/path-template.ts";
import type { Contract } from "../contract/contract.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { everyPath } from "./join-functions.ts";

export interface JoinedService {
  /** Those given, then the daemon's. */
  readonly operations: readonly AppOperation[];
  readonly diagnostics: readonly Diagnostic[];
}

/** @param operations those that programs and functions serve, and those that the service file gives to the daemon itself. */
export function joinService(app: App, contract: Contract | undefined, operations: readonly AppOperation[]): JoinedService {
  const { service } = app;
  if (service === undefined) return { operations, diagnostics: [] };
  const served = new Set(operations.map(operationShape));
  const free = (contract?.operations ?? methods.map((method) => ({ method, path: everyPath }))).filter(
    (operation) => !served.has(operationShape(operation)) && !isHeadOfGet(operation, contract),
  );
  const made = free.map(({ method, path }): ServiceOperation => ({
    kind: "service",
    path,
    method: method as ServiceOperation["method"],
    timeoutMs: service.timeoutMs,
    validateOut: false,
    place: service.place,
  }));
  const all = [...operations, ...made];
  return { operations: all, diagnostics: all.some(({ kind }) => kind === "service") ? [] : [uselessService(service.place)] };
}

/** GET's operation answers it. */
function isHeadOfGet({ method, path }: { readonly method: string; readonly path: string }, contract: Contract | undefined): boolean {
  if (method !== "HEAD" || contract === undefined) return false;
  const shape = operationShape({ method: "GET", path });
  return contract.operations.some((operation) => operationShape(operation) === shape);
}

function uselessService(place: Diagnostic["place"]): Diagnostic {
  return {
    severity: "warning",
    ...(place === undefined ? {} : { place }),
    message: "The service gets no requests: programs and functions serve every operation already",
    hint: "Take `service:` out, or the handlers of the operations that are its own",
  };
}
