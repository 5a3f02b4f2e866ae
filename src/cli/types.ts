/** `urocket types`: writes the types of an app's contract, or tells whether they are up to date. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { App } from "../config/app.ts";
import { loadServiceFile } from "../config/service-file.ts";
import { loadContract } from "../contract/load.ts";
import { typingsMark, writeTypings } from "../contract/typings.ts";
import { codeOf, reasonOf } from "../core/system-error.ts";
import { complain, nameFrom, tellDiagnostics } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath } from "./folder-kind.ts";
import type { Terminal } from "./terminal.ts";

export interface TypesFlags {
  /** The file to write. Default: openapi.ts beside the app's functions. */
  readonly out?: string;
  /** Writes nothing: fails when the file is not up to date. */
  readonly check?: true;
}

/** @param path an app's folder, or an OpenAPI document. */
export async function types(path: string, flags: TypesFlags, terminal: Terminal): Promise<ExitCode> {
  const source = await findSource(resolve(path), flags, terminal);
  if (source === undefined) return exitCode.usage;
  const loaded = await loadContract(source.document);
  if (!loaded.ok) {
    tellDiagnostics(terminal.err, loaded.problems, process.cwd());
    return exitCode.usage;
  }
  const text = writeTypings(loaded.contract, relative(dirname(source.out), source.document));
  const there = await readThere(source.out, terminal);
  if (!there.ok) return exitCode.failed;
  if (there.text === text) return tell(terminal, `${nameFrom(process.cwd(), source.out)} is up to date`);
  if (flags.check === true) return tellStale(source, there.text, terminal);
  return await write(source.out, text, terminal);
}

interface Source {
  readonly document: string;
  readonly out: string;
}

async function findSource(path: string, flags: TypesFlags, { err }: Terminal): Promise<Source | undefined> {
  const kind = kindOfPath(path);
  if (kind.is === "other") return { document: path, out: resolve(flags.out ?? join(dirname(path), "openapi.ts")) };
  if (kind.is !== "folder") {
    const why = kind.is === "unreachable" ? kind.reason : "there is no such folder or file";
    complain(err, { message: `Cannot find the contract of ${path}: ${why}`, hint: "Name the folder of an app, or an OpenAPI document." });
    return undefined;
  }
  const loaded = await loadServiceFile(path);
  if (loaded.ok) return ofApp(loaded.app, flags, err);
  // Functions may be yet to be written, and their types are to help with that.
  if (loaded.openapi !== undefined && flags.out !== undefined) return { document: loaded.openapi, out: resolve(flags.out) };
  tellDiagnostics(err, loaded.problems, process.cwd());
  if (loaded.openapi !== undefined)
    complain(err, {
      message: "Cannot tell where the types belong",
      hint: `Mend the service file, or say where: urocket types ${nameFrom(process.cwd(), path)} --out src/openapi.ts`,
    });
  return undefined;
}

function ofApp(app: App, flags: TypesFlags, err: Terminal["err"]): Source | undefined {
  if (app.openapi === undefined) {
    complain(err, {
      message: `${app.name} has no contract`,
      hint: "Name one in the service file (openapi: openapi.yaml), or give the document's path.",
    });
    return undefined;
  }
  return { document: app.openapi, out: resolve(flags.out ?? join(folderOfFunctions(app), "openapi.ts")) };
}

function folderOfFunctions({ functions, operations, folder }: App): string {
  if (functions !== undefined) return dirname(functions.file);
  const first = operations.find((operation) => operation.kind === "function");
  return first === undefined ? folder : dirname(first.function.file);
}

type There = { readonly ok: true; readonly text: string | undefined } | { readonly ok: false };

/** What stands in the file; what was not written by this command is not overwritten. */
async function readThere(out: string, { err }: Terminal): Promise<There> {
  const name = nameFrom(process.cwd(), out);
  try {
    const text = await readFile(out, "utf8");
    if (text === "" || text.startsWith(typingsMark)) return { ok: true, text };
    complain(err, {
      message: `Cannot write ${name}: it was not written by urocket types, and would be lost`,
      hint: "Name another file with --out, or remove it.",
    });
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { ok: true, text: undefined };
    complain(err, { message: `Cannot read ${name}: ${reasonOf(error)}`, hint: "Name a file with --out." });
  }
  return { ok: false };
}

function tellStale({ document, out }: Source, text: string | undefined, { err }: Terminal): ExitCode {
  const [types, contract] = [out, document].map((path) => nameFrom(process.cwd(), path));
  complain(err, {
    message: text === undefined ? `${types} is not there` : `${types} is not what ${contract} says`,
    hint: "Run the same command without --check.",
  });
  return exitCode.failed;
}

/** Under another name first: editors and `dev` look at the file at any time. */
async function write(out: string, text: string, terminal: Terminal): Promise<ExitCode> {
  const draft = `${out}.${process.pid}.draft`;
  try {
    await mkdir(dirname(out), { recursive: true });
    await writeFile(draft, text);
    await rename(draft, out);
  } catch (error) {
    await rm(draft, { force: true });
    complain(terminal.err, {
      message: `Cannot write ${nameFrom(process.cwd(), out)}: ${reasonOf(error)}`,
      hint: "Name a file that you may write with --out.",
    });
    return exitCode.failed;
  }
  return tell(terminal, `Wrote ${nameFrom(process.cwd(), out)}`);
}

function tell({ out }: Terminal, text: string): ExitCode {
  out.line(text);
  return exitCode.done;
}
