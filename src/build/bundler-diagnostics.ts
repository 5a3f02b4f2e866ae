/** The bundler's messages, for people. */
import { dirname, resolve } from "node:path";
import type { Diagnostic, Place } from "../core/diagnostic.ts";
import type { BundlerMessage } from "./bundle.ts";

/** What the bundler says of an app's sources; of packages only its errors. */
export function bundlerDiagnostics(messages: readonly BundlerMessage[], folder: string): readonly Diagnostic[] {
  return messages
    .filter(({ level, position }) => level === "error" || (position !== undefined && !position.file.includes("/node_modules/")))
    .map((message) => toDiagnostic(message, folder));
}

function toDiagnostic(message: BundlerMessage, folder: string): Diagnostic {
  const { level, position } = message;
  const { text, hint } = worded(message, folder);
  const told = { severity: level, message: text, ...(hint === undefined ? {} : { hint }) };
  if (position === undefined) return { ...told, file: folder };
  const place: Place = { file: position.file, line: position.line, column: position.column, text: position.lineText };
  return { ...told, place };
}

function worded({ text, specifier, position, note }: BundlerMessage, folder: string): { readonly text: string; readonly hint?: string } {
  if (specifier !== undefined) return unresolved(specifier, position?.file, folder);
  if (text === "Macros are disabled")
    return {
      text: "Macros are not supported: nothing of an app runs while it is built",
      hint: 'Import it without `with { type: "macro" }`',
    };
  const plain = sentence(text);
  return note === undefined ? { text: plain } : { text: plain, hint: sentence(note) };
}

function unresolved(specifier: string, from: string | undefined, folder: string): { readonly text: string; readonly hint: string } {
  const shown = JSON.stringify(specifier);
  if (/^\.{0,2}\//.test(specifier)) {
    const path = resolve(dirname(from ?? folder), specifier);
    return { text: `Cannot find the file ${shown}`, hint: `There is no ${path}, with or without an extension` };
  }
  if (/^(node|bun):/.test(specifier)) return { text: `Cannot find the module ${shown}`, hint: "The runtime has no such module" };
  if (specifier.startsWith("urocket/"))
    return { text: `Cannot find the module ${shown}`, hint: "urocket has `urocket` and `urocket/testing`" };
  const [name = specifier] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [];
  return { text: `Cannot find the package ${shown}`, hint: `Run: npm install ${name}, in ${folder}` };
}

const sentence = (text: string): string => (text.charAt(0).toUpperCase() + text.slice(1)).replace(/\.$/, "");
