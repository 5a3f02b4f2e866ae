/** How a command says that something went wrong: what happened and why, and on the next line what to do. */
import { type Diagnostic, formatDiagnostic } from "../core/diagnostic.ts";
import { relative } from "node:path";
import { paint, type Stream } from "./terminal.ts";

export interface Complaint {
  /** `Cannot listen on 127.0.0.1:80: permission denied` */
  readonly message: string;
  /** What to type or change next. */
  readonly hint?: string | undefined;
}

export function complain(stream: Stream, { message, hint }: Complaint): void {
  stream.line(`${paint(stream, "red", "error:")} ${message}`);
  if (hint !== undefined) stream.line(`  ${hint}`);
}

export function warn(stream: Stream, { message, hint }: Complaint): void {
  stream.line(`${paint(stream, "yellow", "warning:")} ${message}`);
  if (hint !== undefined) stream.line(`  ${hint}`);
}

/** Files are named from where the command was started, so that they can be clicked or opened as they are. */
export function tellDiagnostics(stream: Stream, diagnostics: readonly Diagnostic[], from: string): void {
  for (const diagnostic of diagnostics) stream.line(colour(stream, formatDiagnostic(nameFilesFrom(from, diagnostic))));
}

export function nameFilesFrom(folder: string, diagnostic: Diagnostic): Diagnostic {
  const { place, file } = diagnostic;
  if (place !== undefined) return { ...diagnostic, place: { ...place, file: nameFrom(folder, place.file) } };
  return file === undefined ? diagnostic : { ...diagnostic, file: nameFrom(folder, file) };
}

/** A path as seen from a folder that it is in: "petstore/openapi.yaml"; any other path as it is. */
export function nameFrom(folder: string, path: string): string {
  const name = relative(folder, path);
  if (name === "") return ".";
  return name === ".." || name.startsWith("../") ? path : name;
}

/** Colours the word that says how bad it is, on the first line only: the lines below are the file's own text. */
function colour(stream: Stream, text: string): string {
  if (!stream.colours) return text;
  return text.replace(
    /^(.*?)\b(error|warning):/,
    (_, where: string, severity: string) => `${where}${paint(stream, severity === "error" ? "red" : "yellow", `${severity}:`)}`,
  );
}
