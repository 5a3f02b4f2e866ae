/** What `serve` and `dev` say to the person who started it, on stderr; what happens afterwards is told by the log. */
import { isIP } from "node:net";
import type { ServeSettings } from "../config/settings.ts";
import { docsPath } from "../host/docs-pages.ts";
import type { CheckedTypes, ReloadOutcome, RunningHost, ServedApp, StartFailure } from "../host/host.ts";
import { complain, nameFrom, tellDiagnostics, warn } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { count, countOperations, takesEveryPath } from "./served-operations.ts";
import { paint, type Stream } from "./terminal.ts";

export function tellStarted(stream: Stream, host: RunningHost, { address, docs }: ServeSettings, folder: string): void {
  for (const app of host.apps) {
    for (const limit of app.limitsNotHeld) warn(stream, { message: `${app.name}: ${limit}` });
  }
  const wantsNetwork = host.apps.some(({ sandbox, network }) => sandbox === "container" && network !== "none");
  if (wantsNetwork && host.network === undefined) warn(stream, loopbackAlone);
  if (!isLoopback(address)) warn(stream, exposure(address));
  for (const app of host.apps) {
    stream.line(
      `${paint(stream, "bold", app.name)}: ${countServed(app)} from ${nameFrom(folder, app.folder)}${app.sandbox === "container" ? ", in containers" : ""}`,
    );
    for (const line of listServed(app)) stream.line(`  ${line}`);
  }
  if (host.network !== undefined) stream.line(networkLine(host.network));
  if (docs) stream.line(`Contracts at ${paint(stream, "cyan", host.url + docsPath)}`);
  stream.line(`Serving at ${paint(stream, "cyan", host.url)}${stream.isTerminal ? " (Ctrl-C stops)" : ""}`);
}

/** "4 operations, 1 without a handler, 2 listeners" */
function countServed({ operations, listeners }: ServedApp): string {
  const unhandled = operations.filter(({ handled }) => !handled).length;
  const parts = [countOperations(operations.map(({ path, handler }) => ({ path, handler })))];
  if (unhandled > 0) parts.push(`${unhandled} without a handler`);
  if (listeners.length > 0) parts.push(count(listeners.length, "listener"));
  return parts.join(", ");
}

/** Operations of one app that are listed: a screen's worth of lines says more than a thousand. */
const listedMax = 20;

type ListedOperation = Pick<ServedApp["operations"][number], "method" | "path" | "handler" | "handled" | "operationId">;

/** `GET    /pets       function  listPets`, and where listeners are. */
function listServed({ operations: all, listeners }: ServedApp): string[] {
  const operations = oneForEveryPath(all);
  const listed = operations.slice(0, listedMax);
  const verbWidth = Math.max(6, ...listed.map(({ method }) => method.length));
  const width = Math.max(0, ...listed.map(({ path }) => path.length));
  const lines = listed.map(({ method, path, handler, handled, operationId = "" }) =>
    `${method.padEnd(verbWidth)} ${path.padEnd(width)}  ${(handled ? (handler ?? "") : "no handler").padEnd(10)} ${operationId}`.trimEnd(),
  );
  if (operations.length > listed.length) lines.push(`and ${operations.length - listed.length} more; \`urocket check\` shows all`);
  return [...lines, ...listeners.map(({ url }) => `lines at ${url}`)];
}

/** What takes every path stands at the end, once, and not at all where it is all that there is. */
function oneForEveryPath(operations: ServedApp["operations"]): readonly ListedOperation[] {
  const [rest] = operations.filter(isForEveryPath);
  const own = operations.filter((operation) => !isForEveryPath(operation));
  return rest === undefined || own.length === 0 ? own : [...own, { ...rest, method: "any" }];
}

const isForEveryPath = ({ path, handler }: ServedApp["operations"][number]): boolean => takesEveryPath({ path, handler });

const loopbackAlone = {
  message: "Containers reach nothing but themselves, whatever `network` says: a bridge needs root",
  hint: "Their services are reached over their links. `urocket doctor` tells what else works with less.",
};

/** "Containers are on the bridge urocket0, 10.201.0.1 and fd75:726f:636b:c9::1" */
function networkLine({ bridge, gateway, gateway6 }: NonNullable<RunningHost["network"]>): string {
  return `Containers are on the bridge ${bridge}, where this host is ${[gateway, ...(gateway6 === undefined ? [] : [gateway6])].join(" and ")}`;
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
    complain(stream, { message: `Cannot serve: ${count(errors, "error")} in the configuration` });
    return exitCode.usage;
  }
  complain(stream, { hint: machineHint(failure), ...failure });
  return exitCode.failed;
}

/** What the kernel or a runtime said of a container is about this machine more often than about the app. */
function machineHint({ message }: { readonly message: string }): string | undefined {
  return /(?<!sandbox: )\bcontainer\b/.test(message) ? "`urocket doctor` tells what this machine lacks for containers." : undefined;
}

export function tellReloaded(stream: Stream, outcome: ReloadOutcome, folder: string): void {
  for (const app of outcome.apps) {
    tellDiagnostics(stream, app.problems, folder);
    switch (app.outcome) {
      case "reloaded":
        stream.line(
          `${app.name}: ${paint(stream, "green", "reloaded")}${app.tookMs === undefined ? "" : ` in ${Math.round(app.tookMs)} ms`}`,
        );
        break;
      case "unchanged":
        stream.line(`${app.name}: unchanged`);
        break;
      case "kept-old":
        // Given up rather than wrong: there is nothing to mend.
        if (app.problems.length > 0)
          complain(stream, { message: `${app.name}: the new version has errors; the one before it is still served` });
        break;
    }
  }
}

/** Types are checked beside serving: an app whose types are wrong is served all the same. */
export function tellTypes(stream: Stream, { name, problems }: CheckedTypes, folder: string): void {
  tellDiagnostics(
    stream,
    problems.map((problem) => ({ ...problem, severity: "warning" })),
    folder,
  );
  if (problems.length === 0) stream.line(`${name}: types are right again`);
  else warn(stream, { message: `${name}: ${count(problems.length, "type error")}; it is served all the same` });
}
