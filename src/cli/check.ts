/**
 * `urocket check`: everything that is wrong or doubtful with an app, also on this machine, and what it would serve. Builds its
 * functions, and starts nothing.
 */
import { resolve } from "node:path";
import type { App, FunctionReference, Listener, ProgramOperation, Service } from "../config/app.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { shellWord } from "../core/shell-word.ts";
import { formatDuration } from "../core/units.ts";
import { type JoinedOperation, loadApp, type LoadedApp } from "../host/load-app.ts";
import { machineDoubts } from "../host/machine-doubts.ts";
import { complain, nameFilesFrom, nameFrom, tellDiagnostics } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath, whyNoFolder } from "./folder-kind.ts";
import { count, countOperations, takesEveryPath } from "./served-operations.ts";
import { formatTable } from "./table.ts";
import { paint, type Terminal } from "./terminal.ts";

export type OutputForm = "text" | "json";

/** @param sandbox what confines the app, whatever its service file says. */
export async function check(folder: string, form: OutputForm, sandbox: App["sandbox"] | undefined, terminal: Terminal): Promise<ExitCode> {
  const root = resolve(folder);
  const why = whyNoFolder(kindOfPath(root));
  if (why !== undefined) {
    complain(terminal.err, {
      message: `Cannot check ${root}: ${why}`,
      hint: "Name the folder that holds the service file, or start in it.",
    });
    return exitCode.usage;
  }
  const loaded = await loadOn(root, sandbox);
  if (form === "json") terminal.out.line(JSON.stringify(toJson(root, loaded), undefined, 2));
  else tell(loaded, terminal);
  return loaded.ok ? exitCode.done : exitCode.failed;
}

/** What is doubtful because of this machine is told behind what is doubtful anywhere. */
async function loadOn(root: string, sandbox: App["sandbox"] | undefined): Promise<LoadedApp> {
  const loaded = await loadApp(root, { sandbox });
  return loaded.ok ? { ...loaded, warnings: [...loaded.warnings, ...(await machineDoubts(loaded.app))] } : loaded;
}

const diagnosticsOf = (loaded: LoadedApp): readonly Diagnostic[] => (loaded.ok ? loaded.warnings : loaded.problems);

function tell(loaded: LoadedApp, { out }: Terminal): void {
  const diagnostics = diagnosticsOf(loaded);
  tellDiagnostics(out, diagnostics, process.cwd());
  if (diagnostics.length > 0) out.line("");
  if (loaded.ok) for (const table of tablesOf(loaded)) tellTable(table, out);
  out.line(summary(loaded, diagnostics, (style, text) => paint(out, style, text)));
}

type Ready = Extract<LoadedApp, { ok: true }>;
type Table = readonly [headings: readonly string[], ...rows: (readonly string[])[]];

function tablesOf({ app, operations }: Ready): readonly Table[] {
  const operationRows = oneForEveryPath(operations).map((operation) => toRow(operation, app));
  const listenerRows = app.listeners.map((listener) => toListenerRow(listener, app.folder));
  return [
    ...(operationRows.length === 0 ? [] : [[["METHOD", "PATH", "VALIDATED", "CHANNEL", "WD", "HANDLER"], ...operationRows] as const]),
    ...(listenerRows.length === 0 ? [] : [[["LISTENER", "FRAMING", "IDLE", "CONNECTIONS", "HANDLER"], ...listenerRows] as const]),
  ];
}

const isForEveryPath = ({ path, handler }: JoinedOperation): boolean => takesEveryPath({ path, handler: handler?.kind });

/** What takes every method of every path stands at the end, once. */
function oneForEveryPath(operations: readonly JoinedOperation[]): readonly JoinedOperation[] {
  const [rest] = operations.filter(isForEveryPath);
  const own = operations.filter((operation) => !isForEveryPath(operation));
  return rest === undefined ? own : [...own, { ...rest, method: "any" }];
}

function tellTable([headings, ...rows]: Table, out: Terminal["out"]): void {
  for (const line of formatTable(out, headings, rows)) out.line(line);
  out.line("");
}

function toRow(operation: JoinedOperation, { folder, service }: App): readonly string[] {
  const { method, path, handler } = operation;
  if (handler === undefined) return [method, path, "", "", "", "(no handler: answered 501)"];
  const checked = validated(operation).join("+") || "no";
  switch (handler.kind) {
    case "function":
      return [method, path, checked, "function", "", formatFunction(handler.function, folder)];
    case "service":
      return [
        method,
        path,
        checked,
        "service",
        ...(service === undefined ? [] : [nameFrom(folder, service.wd), formatCommand(service.argv)]),
      ];
    case "program":
      return [method, path, checked, handler.inject.channel, nameFrom(folder, handler.inject.wd), formatCommand(handler.inject.argv)];
  }
}

function toListenerRow({ name, framing, idleMs, connectionsMax, function: called }: Listener, folder: string): readonly string[] {
  return [name, framing, formatDuration(idleMs), String(connectionsMax), formatFunction(called, folder)];
}

/** As the service file writes it. */
function formatFunction({ file, export: name }: FunctionReference, folder: string): string {
  return `${nameFrom(folder, file)}#${name}`;
}

/** What is validated by the contract: requests, replies, both or nothing. */
function validated({ handler, contract }: JoinedOperation): readonly ("in" | "out")[] {
  if (handler === undefined || contract === undefined) return [];
  return [...((handler.validateIn ?? true) ? ["in" as const] : []), ...(handler.validateOut ? ["out" as const] : [])];
}

/** As a shell would take it, so that it can be tried by hand. */
function formatCommand(argv: readonly string[]): string {
  return argv.map(shellWord).join(" ");
}

function summary(loaded: LoadedApp, diagnostics: readonly Diagnostic[], style: (style: "red" | "green", text: string) => string): string {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const counts = `${count(errors, "error")}, ${count(diagnostics.length - errors, "warning")}`;
  if (!loaded.ok) return style("red", `Not ready to serve: ${counts}`);
  const { app, operations } = loaded;
  const listeners = app.listeners.length === 0 ? "" : `, ${count(app.listeners.length, "listener")}`;
  const counted = countOperations(operations.map(({ path, handler }) => ({ path, handler: handler?.kind })));
  const confined = app.sandbox === "container" ? " in containers" : "";
  return style("green", `${app.name} is ready to serve${confined}: ${counted}${listeners}, ${counts}`);
}

function toJson(root: string, loaded: LoadedApp): object {
  const problems = diagnosticsOf(loaded).map((diagnostic) => {
    const { severity, message, hint, place, file } = nameFilesFrom(process.cwd(), diagnostic);
    return { severity, file: place?.file ?? file, line: place?.line, column: place?.column, message, hint };
  });
  if (!loaded.ok) return { ok: false, folder: root, problems };
  const { app, contract, operations } = loaded;
  return {
    ok: true,
    folder: root,
    name: app.name,
    contract: contract?.file,
    sandbox: app.sandbox,
    ...(app.sandbox === "container" ? { network: app.network, rootfs: app.rootfs } : {}),
    service: app.service && serviceToJson(app.service),
    problems,
    operations: operations.map(operationToJson),
    listeners: app.listeners.map(listenerToJson),
  };
}

function operationToJson(operation: JoinedOperation): object {
  const { method, path, handler, contract } = operation;
  return {
    method,
    path,
    operationId: contract?.operationId,
    inContract: contract !== undefined,
    validated: validated(operation),
    timeoutMs: handler?.timeoutMs,
    inject: handler?.kind === "program" ? programToJson(handler) : undefined,
    function: handler?.kind === "function" ? functionToJson(handler.function) : undefined,
    service: handler?.kind === "service" ? true : undefined,
  };
}

function programToJson({ inject: { wd, argv, channel, encoding } }: ProgramOperation): object {
  return { wd, cmd: argv, channel, encoding };
}

function serviceToJson({ wd, argv, port, health, startTimeoutMs, timeoutMs, idleMs }: Service): object {
  return { wd, cmd: argv, port, health, startTimeoutMs, timeoutMs, idleMs };
}

function functionToJson({ file, export: name }: FunctionReference): object {
  return { file, export: name };
}

function listenerToJson({ name, framing, function: called, timeoutMs, idleMs, lineBytesMax, connectionsMax }: Listener): object {
  return { name, framing, function: functionToJson(called), timeoutMs, idleMs, lineBytesMax, connectionsMax };
}
