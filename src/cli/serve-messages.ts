/** What `serve` says to the person who started it, on stderr; what happens afterwards is told by the log. */
import { isIP } from "node:net";
import type { ServeSettings } from "../config/settings.ts";
import type { ReloadOutcome, RunningHost, ServedApp, StartFailure } from "../host/host.ts";
import { complain, nameFrom, tellDiagnostics, warn } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { paint, type Stream } from "./terminal.ts";

export function tellStarted(stream: Stream, host: RunningHost, { address }: ServeSettings, folder: string): void {
  for (const app of host.apps) {
    for (const limit of app.limitsNotHeld) warn(stream, { message: `${app.name}: ${limit}` });
  }
  if (!isLoopback(address)) warn(stream, exposure(address));
  for (const app of host.apps) {
    stream.line(`${paint(stream, "bold", app.name)}: ${countOperations(app)} from ${nameFrom(folder, app.folder)}`);
  }
  stream.line(`Serving at ${paint(stream, "cyan", host.url)}${stream.isTerminal ? " (Ctrl-C stops)" : ""}`);
}

/** "4 operations, 1 without a handler" */
function countOperations({ operations }: ServedApp): string {
  const unhandled = operations.filter(({ handled }) => !handled).length;
  const count = `${operations.length} operation${operations.length === 1 ? "" : "s"}`;
  return unhandled === 0 ? count : `${count}, ${unhandled} without a handler`;
}

export function isLoopback(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith("127.");
  return address === "::1" || address === "localhost";
}

function exposure(address: string): { readonly message: string; readonly hint: string } {
  const everywhere = address === "0.0.0.0" || address === "::";
  const where = everywhere ? "every address of this machine" : address;
  return {
    message: `Listening on ${where}: whoever can reach it can start the programs of these apps, over unencrypted HTTP and without a password`,
    hint: "Put a proxy that does TLS and authentication in front of it, or listen on 127.0.0.1 only (the default of --address).",
  };
}

/** Says why a host did not start; the exit code that goes with it. */
export function tellStartFailure(stream: Stream, failure: StartFailure, folder: string): ExitCode {
  if (failure.kind === "configuration") {
    tellDiagnostics(stream, failure.problems, folder);
    const errors = failure.problems.filter(({ severity }) => severity === "error").length;
    complain(stream, { message: `Cannot serve: ${errors} error${errors === 1 ? "" : "s"} in the configuration` });
    return exitCode.usage;
  }
  complain(stream, failure);
  return exitCode.failed;
}

export function tellReloaded(stream: Stream, outcome: ReloadOutcome, folder: string): void {
  for (const app of outcome.apps) {
    tellDiagnostics(stream, app.problems, folder);
    switch (app.outcome) {
      case "reloaded":
        stream.line(`${app.name}: reloaded`);
        break;
      case "unchanged":
        stream.line(`${app.name}: unchanged`);
        break;
      case "kept-old":
        complain(stream, { message: `${app.name}: the new version has errors; the one before it is still served` });
        break;
    }
  }
}
