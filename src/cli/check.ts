/** `urocket check`: everything that is wrong or doubtful with an app, and what it would serve. Starts nothing. */
import { resolve } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import { shellWord } from "../core/shell-word.ts";
import { type JoinedOperation, loadApp, type LoadedApp } from "../host/load-app.ts";
import { complain, nameFilesFrom, nameFrom, tellDiagnostics } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath, whyNoFolder } from "./folder-kind.ts";
import { formatTable } from "./table.ts";
import { paint, type Terminal } from "./terminal.ts";

export type OutputForm = "text" | "json";

export async function check(folder: string, form: OutputForm, terminal: Terminal): Promise<ExitCode> {
  const root = resolve(folder);
  const why = whyNoFolder(kindOfPath(root));
  if (why !== undefined) {
    complain(terminal.err, {
      message: `Cannot check ${root}: ${why}`,
      hint: "Name the folder that holds the service file, or start in it.",
    });
    return exitCode.usage;
  }
  const loaded = await loadApp(root);
  if (form === "json") terminal.out.line(JSON.stringify(toJson(root, loaded), undefined, 2));
  else tell(loaded, terminal);
  return loaded.ok ? exitCode.done : exitCode.failed;
}

const diagnosticsOf = (loaded: LoadedApp): readonly Diagnostic[] => (loaded.ok ? loaded.warnings : loaded.problems);

function tell(loaded: LoadedApp, { out }: Terminal): void {
  const diagnostics = diagnosticsOf(loaded);
  tellDiagnostics(out, diagnostics, process.cwd());
  if (diagnostics.length > 0) out.line("");
  if (loaded.ok) {
    const headings = ["METHOD", "PATH", "VALIDATED", "CHANNEL", "WD", "COMMAND"];
    for (const line of formatTable(
      out,
      headings,
      loaded.operations.map((operation) => toRow(operation, loaded.app.folder)),
    ))
      out.line(line);
    out.line("");
  }
  out.line(summary(loaded, diagnostics, (style, text) => paint(out, style, text)));
}

function toRow(operation: JoinedOperation, folder: string): readonly string[] {
  const { method, path, handler } = operation;
  if (handler === undefined) return [method, path, "", "", "", "(no handler: answered 501)"];
  const { channel, wd, argv } = handler.inject;
  return [method, path, validated(operation).join("+") || "no", channel, nameFrom(folder, wd), formatCommand(argv)];
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
  return style("green", `${loaded.app.name} is ready to serve: ${count(loaded.operations.length, "operation")}, ${counts}`);
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

function toJson(root: string, loaded: LoadedApp): object {
  const problems = diagnosticsOf(loaded).map((diagnostic) => {
    const { severity, message, hint, place, file } = nameFilesFrom(process.cwd(), diagnostic);
    return { severity, file: place?.file ?? file, line: place?.line, column: place?.column, message, hint };
  });
  if (!loaded.ok) return { ok: false, folder: root, problems };
  const { app, contract, operations } = loaded;
  return { ok: true, folder: root, name: app.name, contract: contract?.file, problems, operations: operations.map(operationToJson) };
}

function operationToJson(operation: JoinedOperation): object {
  const { method, path, handler, contract } = operation;
  const program = handler && {
    wd: handler.inject.wd,
    cmd: handler.inject.argv,
    channel: handler.inject.channel,
    encoding: handler.inject.encoding,
    timeoutMs: handler.inject.timeoutMs,
  };
  return {
    method,
    path,
    operationId: contract?.operationId,
    inContract: contract !== undefined,
    validated: validated(operation),
    inject: program,
  };
}
