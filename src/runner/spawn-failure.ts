/** Why a process could not be started, in words, from the error that the spawn threw. */
import { readFileSync, statSync } from "node:fs";
import { closedFolder } from "../core/folder-access.ts";
import { codeOf } from "../core/system-error.ts";

export interface SpawnAttempt {
  /** How the words begin: `Cannot start "php" for GET /pets`. */
  readonly what: string;
  /** A path, where one was found; else the word that was looked for in `path`. */
  readonly executable: string;
  readonly wd: string;
  readonly path: string;
  /** What to do about arguments that are too long. */
  readonly tooLong: string;
}

/** What a client may know, and what is for the log alone. */
export interface SpawnFailure {
  readonly detail: string;
  readonly advice?: string;
}

export function spawnFailure(attempt: SpawnAttempt, error: unknown): SpawnFailure {
  const { what, executable } = attempt;
  const code = codeOf(error) ?? "";
  const folder = folderProblem(attempt.wd);
  if (folder !== undefined) return { detail: `${what}: its working directory cannot be used`, advice: folder };
  switch (code) {
    case "ENOENT":
      return { detail: `${what}: it was not found (ENOENT)`, advice: missing(attempt) };
    case "EACCES":
    case "EPERM":
      return {
        detail: `${what}: it may not be executed (${code})`,
        advice: `run chmod +x on "${executable}", and check the folders above it`,
      };
    case "ENOEXEC":
      return {
        detail: `${what}: it is neither a binary of this machine nor a script whose first line is #! and an interpreter (ENOEXEC)`,
        advice: `see "${executable}"`,
      };
    case "E2BIG":
      return {
        detail: `${what}: its arguments and environment together are over the kernel's limit (E2BIG)`,
        advice: attempt.tooLong,
      };
    case "EAGAIN":
      return { detail: `${what}: the limit on the number of processes is reached (EAGAIN)` };
    case "ENOMEM":
      return { detail: `${what}: the machine is out of memory (ENOMEM)` };
    case "EMFILE":
    case "ENFILE":
      return { detail: `${what}: the limit on open files is reached (${code})` };
    default:
      return { detail: `${what}: ${code === "" ? "the system refused" : code}`, advice: String(error) };
  }
}

function folderProblem(wd: string): string | undefined {
  const closed = closedFolder(wd);
  if (closed !== undefined) {
    const where = closed === wd ? "" : ` at "${closed}"`;
    return `"${wd}" may not be entered by user ${process.geteuid?.()}${where} (EACCES): run chmod a+x on it`;
  }
  try {
    return statSync(wd).isDirectory() ? undefined : `"${wd}" is not a folder`;
  } catch {
    return `"${wd}" does not exist`;
  }
}

function missing({ executable, path }: SpawnAttempt): string {
  if (!executable.includes("/")) return `there is no such program in PATH (${path})`;
  const interpreter = interpreterOf(executable);
  if (interpreter !== undefined) return `the interpreter "${interpreter}" that its first line names does not exist`;
  return `the file "${executable}" does not exist`;
}

function interpreterOf(file: string): string | undefined {
  try {
    return /^#![ \t]*(\S+)/.exec(readFileSync(file, "latin1").slice(0, 256))?.[1];
  } catch {
    return undefined;
  }
}
