/** Why a host does not start, or a revision does not come up, in words and with the next step. */
import type { Diagnostic } from "../core/diagnostic.ts";
import { codeOf, reasonOf } from "../core/system-error.ts";
import type { ServedOperation } from "../gateway/operation.ts";
import { RouteConflict } from "../gateway/router.ts";
import { InstanceFailure } from "../pool/instance.ts";
import { fullRunFolderHint, SandboxFailure } from "../sandbox/sandbox-failure.ts";
import { DataFolderFailure } from "./app-data.ts";
import type { StartFailure } from "./host.ts";
import { RunFolderFailure } from "./run-folder.ts";

type Told = Exclude<StartFailure, { readonly kind: "configuration" }>;

/** Nothing can listen there. */
export class ListenFailure extends Error {
  override readonly name = "ListenFailure";
  readonly failure: Told;

  constructor(failure: Told) {
    super(failure.message);
    this.failure = failure;
  }
}

export function toStartFailure(error: unknown): StartFailure {
  if (isRouteConflict(error)) return { kind: "configuration", problems: [conflict(error)] };
  if (error instanceof ListenFailure) return error.failure;
  if (error instanceof InstanceFailure) {
    const { message, code } = error;
    if (code !== "reply-socket-in-use") return { kind: "instance-failed", message, ...hintOf(error) };
    const hint = "Another host serves this app, or one with the same `socket:`. End it, or give this one a `socket:` of its own";
    return { kind: code, message, hint };
  }
  if (error instanceof SandboxFailure) return { kind: "no-sandbox", message: error.message, hint: error.hint };
  if (error instanceof DataFolderFailure) return { kind: "no-data-folder", message: error.message, hint: error.hint };
  if (error instanceof RunFolderFailure) return { kind: "no-run-folder", message: error.message, hint: error.hint };
  return { kind: "instance-failed", message: messageOf(error) };
}

/** All that a host writes while it starts is below it, but for apps' data. */
export function fullRunFolder(folder: string, error: unknown): StartFailure {
  const message = `Cannot write to the run folder ${folder}: ${reasonOf(error)}`;
  return { kind: "no-run-folder", message, hint: fullRunFolderHint };
}

/** Why HTTP cannot be served there. */
export function httpListenFailure(error: unknown, { address, port }: { readonly address: string; readonly port: number }): ListenFailure {
  return new ListenFailure(toldOf(error, address, port));
}

function toldOf(error: unknown, address: string, port: number): Told {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return {
        kind: "address-in-use",
        message: `Cannot listen on ${address} port ${port}: it is in use`,
        hint: `Choose another with --port, or see who has it: ss -ltnp "sport = :${port}"`,
      };
    case "EACCES":
      return {
        kind: "address-not-allowed",
        message: `Cannot listen on ${address} port ${port}: ports below 1024 need root or CAP_NET_BIND_SERVICE`,
        hint: "Choose a port from 1024 with --port",
      };
    case "EADDRNOTAVAIL":
      return {
        kind: "address-not-allowed",
        message: `Cannot listen on ${address}: this machine does not have the address`,
        hint: "Choose 127.0.0.1, 0.0.0.0 or one that 'ip addr' shows with --address",
      };
    default:
      return { kind: "address-not-allowed", message: `Cannot listen on ${address} port ${port}: ${messageOf(error)}` };
  }
}

/** What keeps a new revision from being served. */
export function revisionProblem(error: unknown, file: string): Diagnostic {
  if (isRouteConflict(error)) return conflict(error);
  if (error instanceof ListenFailure) {
    const { message, hint } = error.failure;
    return { severity: "error", file, message, ...(hint === undefined ? {} : { hint }) };
  }
  return { severity: "error", file, message: messageOf(error), ...hintOf(error) };
}

function hintOf(error: unknown): { readonly hint?: string } {
  const hints = error instanceof InstanceFailure || error instanceof SandboxFailure || error instanceof DataFolderFailure;
  return hints && error.hint !== undefined ? { hint: error.hint } : {};
}

function isRouteConflict(error: unknown): error is RouteConflict<ServedOperation> {
  return error instanceof RouteConflict;
}

/** Two apps claim the same requests (within one app the service file's checker has found it). */
function conflict({ first, second }: RouteConflict<ServedOperation>): Diagnostic {
  return {
    severity: "error",
    message: `${second.key} of app "${second.app.name}" would answer the same requests as ${first.key} of app "${first.app.name}"`,
    hint: 'Give one of them another "base" or other "hosts"',
    ...(second.handler === undefined ? {} : { place: second.handler.place }),
  };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
