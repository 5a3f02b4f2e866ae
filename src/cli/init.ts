/** `urocket init`: starts an app from a template. Writes only what is not there yet. */
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { nearest } from "../core/suggest.ts";
import { reasonOf } from "../core/system-error.ts";
import { complain, type Complaint, nameFrom } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath, type PathKind, whyNoFolder } from "./folder-kind.ts";
import { templateNames } from "./template-names.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

const templatesFolder = resolve(import.meta.dir, "../../templates");

/** Known, and for versions to come. */
const laterTemplates: readonly string[] = ["site"];

/** What to try first, once it is served. */
const firstTries: Readonly<Record<(typeof templateNames)[number], string>> = {
  functions: "curl http://127.0.0.1:8080/hello/Ada",
  scripts: "curl http://127.0.0.1:8080/hello/Ada",
  service: "curl http://127.0.0.1:8080/",
  tcp: "printf 'sum 1 2 3.5\\n' | nc -N 127.0.0.1 4000",
};

export function init(
  folder: string,
  template: string,
  environment: Readonly<Record<string, string | undefined>>,
  { out, err }: Terminal,
): ExitCode {
  if (folder === "") {
    complain(err, { message: 'Cannot make an app in "": it is empty', hint: "Name a folder, or leave it out for the current one." });
    return exitCode.usage;
  }
  const target = resolve(folder);
  const known = templateNames.find((name) => name === template);
  const problem = known === undefined ? refuseTemplate(template) : checkTarget(target, known);
  if (known === undefined || problem !== undefined) {
    complain(err, problem ?? refuseTemplate(template));
    return exitCode.usage;
  }
  const files = listFiles(join(templatesFolder, template));
  try {
    for (const file of files) copy(join(templatesFolder, template, file), join(target, file));
  } catch (error) {
    complain(err, { message: `Cannot write to ${target}: ${reasonOf(error)}`, hint: "Name a folder that you may write to, with room." });
    return exitCode.failed;
  }
  out.line(nextSteps({ folder, target, template: known, files, environment }));
  return exitCode.done;
}

function refuseTemplate(template: string): Complaint {
  const hint = `Templates of this version: ${templateNames.join(", ")}.`;
  if (laterTemplates.includes(template)) return { message: `The template "${template}" is not part of this version (${version})`, hint };
  const meant = nearest(template, templateNames);
  return { message: `Cannot find template "${template}"${meant === undefined ? "" : `: did you mean "${meant}"?`}`, hint };
}

function checkTarget(target: string, template: string): Complaint | undefined {
  const kind = kindOfPath(target);
  if (kind.is === "nothing") return undefined;
  const why = whyNoFolder(kind);
  if (why !== undefined) return { message: `Cannot make an app in ${target}: ${why}`, hint: hintOf(kind) };
  const files = listFiles(join(templatesFolder, template));
  const serviceFiles = ["urocket-service.yml", "urocket-service.json"];
  const there = [...files, ...serviceFiles].filter((file) => isThere(join(target, file)));
  if (there.length === 0) return undefined;
  return {
    message: `Cannot make an app in ${target}: ${there.join(", ")} would be overwritten`,
    hint: "Name another folder, or move what is there.",
  };
}

/** A dangling link is there too, and would be written through. What may not be looked at fails when it is written. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function hintOf(kind: PathKind): string {
  return kind.is === "unreachable" ? "Name a folder that can be made, or entered, by you." : "Name a folder that is new or empty.";
}

/** Paths of all files below, relative, sorted. */
function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  // Installed packages may be read-only; what was made of them is to be edited.
  chmodSync(to, (statSync(from).mode & 0o111) === 0 ? 0o644 : 0o755);
}

interface Made {
  /** As written. */
  readonly folder: string;
  readonly target: string;
  readonly template: (typeof templateNames)[number];
  readonly files: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

function nextSteps({ folder, target, template, files, environment }: Made): string {
  const command = environment["npm_command"] === "exec" ? "npx urocket" : "urocket";
  const at = resolve(folder) === process.cwd() ? "" : ` ${shellWord(nameFrom(process.cwd(), target))}`;
  return [
    `Made an app in ${nameFrom(process.cwd(), target)}:`,
    ...files.map((file) => `  ${file}`),
    "",
    "Next:",
    `  ${command} check${at}`,
    `  ${command} dev${at}`,
    `  ${firstTries[template]}`,
  ].join("\n");
}
