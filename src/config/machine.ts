/**
 * What the checks of a service file ask of the machine: files, users, and who runs. Asked while a file is loaded, never
 * while requests are served.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { basename, delimiter, resolve } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { codeOf } from "../core/system-error.ts";
import { programEnvironment } from "./surroundings.ts";

/** How this process runs. Passed in, so that tests can be somebody else. */
export interface Standing {
  /** Effective user id; 0 is root. */
  readonly uid: number;
  /** Folders in which programs are looked for, in order: those of the PATH that they get. */
  readonly programFolders: readonly string[];
  /** The file that names the system's users, passwd(5). */
  readonly usersFile: string;
}

export function ownStanding(): Standing {
  return { uid: process.geteuid?.() ?? 0, programFolders: foldersOf(programEnvironment()["PATH"] ?? ""), usersFile: "/etc/passwd" };
}

/** The folders of a PATH; an empty one means the working directory (POSIX XBD 8.3) and is left out. */
export function foldersOf(path: string): readonly string[] {
  return path.split(delimiter).filter((folder) => folder !== "");
}

export type PathKind = "file" | "folder" | "socket" | "other" | "missing" | "unreachable";

export function kindOf(path: string): PathKind {
  try {
    const found = statSync(path);
    if (found.isFile()) return "file";
    if (found.isDirectory()) return "folder";
    return found.isSocket() ? "socket" : "other";
  } catch (error) {
    return codeOf(error) === "EACCES" ? "unreachable" : "missing";
  }
}

export type Executable = { readonly found: true } | MissingExecutable;

export interface MissingExecutable {
  readonly found: false;
  readonly message: string;
  readonly hint?: string;
  /** Where what is missing may come later: how the hint goes on, before what happens meanwhile. */
  readonly until?: "until then" | "until there is,";
}

/**
 * Whether a program can be started: a name with a "/" is a path relative to the working directory, any other is looked
 * for in the given folders, as execvp(3) does.
 */
export function findExecutable(name: string, wd: string, folders: readonly string[]): Executable {
  if (name.includes("/")) return executableAt(resolve(wd, name), name, folders);
  for (const folder of folders) {
    const found = executableAt(resolve(wd, folder, name), name, folders);
    if (found.found) return found;
  }
  const missing = { found: false, message: `Cannot find the program "${name}" on PATH` } as const;
  return kindOf(resolve(wd, name)) === "file"
    ? { ...missing, hint: `A file of that name is in the working directory: write ./${name}` }
    : { ...missing, hint: "Install it, or write its path", until: "until then" };
}

function executableAt(path: string, name: string, folders: readonly string[]): Executable {
  const kind = kindOf(path);
  if (kind === "missing")
    return {
      found: false,
      message: `Cannot find the program "${name}"`,
      hint: `There is no ${path}`,
      until: "until there is,",
    };
  if (kind === "folder") return { found: false, message: `Cannot start the program "${name}": it is a folder` };
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return { found: false, message: `Cannot start the program "${name}": it is not executable`, hint: `Run: chmod +x ${shellWord(path)}` };
  }
  return executableHead(path, name, folders);
}

/** The kernel starts ELF files and scripts that name their interpreter; no shell stands in for others (execve(2), ENOEXEC). */
function executableHead(path: string, name: string, folders: readonly string[]): Executable {
  const head = readHead(path);
  // Executable but not readable: the kernel may start it all the same.
  if (head === undefined || head.startsWith("\x7fELF")) return { found: true };
  if (head.startsWith("#!")) return interpreterOf(head, path, name, folders);
  return {
    found: false,
    message: `The program "${name}" is neither a binary nor a script with a #! line`,
    hint: `Start ${path} with a line such as #!/bin/sh`,
  };
}

/** Bytes of a file's beginning that the kernel looks at for its interpreter: BINPRM_BUF_SIZE of execve(2). */
const headBytes = 256;

function readHead(path: string): string | undefined {
  const head = Buffer.alloc(headBytes);
  try {
    const descriptor = openSync(path, "r");
    try {
      return head.toString("latin1", 0, readSync(descriptor, head, 0, headBytes, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

/** The kernel says of a missing interpreter what it says of a missing program (ENOENT). */
function interpreterOf(head: string, path: string, name: string, folders: readonly string[]): Executable {
  const [, file = "", word] = /^#![ \t]*([^ \t\n]*)(?:[ \t]+([^ \t\n]+))?/.exec(head) ?? [];
  if (file.endsWith("\r") || word?.endsWith("\r") === true)
    return {
      found: false,
      message: `The first line of the program "${name}" ends with a carriage return, which the kernel takes for a part of the interpreter's name`,
      hint: `Run: sed -i 's/\\r$//' ${shellWord(path)}`,
    };
  const missing = kindOf(file) === "missing" ? file : missingOnPath(file, word, folders);
  if (missing === undefined) return { found: true };
  return {
    found: false,
    message: `Cannot start the program "${name}": its interpreter "${missing}" is not there`,
    hint: `Install it, or mend the first line of ${path}`,
    until: "until then",
  };
}

/** `#!/usr/bin/env NAME`: what env(1) will not find. */
function missingOnPath(file: string, word: string | undefined, folders: readonly string[]): string | undefined {
  if (basename(file) !== "env" || word === undefined || /[/=]|^-/.test(word)) return undefined;
  return folders.some((folder) => kindOf(resolve(folder, word)) === "file") ? undefined : word;
}
