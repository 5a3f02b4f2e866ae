/** What programs and daemons have in common: a working directory, and an executable that should be there. */
import { resolve } from "node:path";
import { closedFolder } from "../core/folder-access.ts";
import { shellWord } from "../core/shell-word.ts";
import type { EnvironmentEntry } from "./app.ts";
import type { Command } from "./command.ts";
import type { Context } from "./context.ts";
import type { Located } from "./fields.ts";
import { type Executable, findExecutable, foldersOf, kindOf } from "./machine.ts";
import { findScript } from "./script.ts";
import { ownCommands } from "./surroundings.ts";
import { isInContainer } from "./to-container.ts";
import type { Spot } from "./value.ts";
import { quoted } from "./value.ts";

export interface Launch {
  readonly wd: Located<string> | undefined;
  readonly cmd: Located<Command> | undefined;
  /** The app's, then its own. */
  readonly env: readonly EnvironmentEntry[];
  /** What happens while it cannot be started. */
  readonly meanwhile: "its requests are answered 502" | "the app cannot be started";
}

/** The working directory, absolute; the context's reading is told what is wrong with it, and with the command. */
export function launchFolder({ wd, cmd, env, meanwhile }: Launch, context: Context): string {
  const folder = wdOf(wd, context);
  if (cmd === undefined || folder === undefined) return folder ?? context.folder;
  const closed = closedFolder(folder);
  if (closed !== undefined) warnOfClosed(wd?.at ?? cmd.at, closed, meanwhile, context);
  else warnOfMissing(cmd, missingOf(cmd.value, folder, env, context), meanwhile, context);
  return folder;
}

/** A wrong one is told here: the kernel's own answer to it (ENOENT) would name the program instead. */
function wdOf(wd: Located<string> | undefined, context: Context): string | undefined {
  const { folder, reading, sandbox, ownRoot } = context;
  if (wd === undefined) return folder;
  const path = resolve(folder, wd.value);
  const inApp = path === folder || path.startsWith(`${folder}/`);
  // Of a root filesystem of its own only who unpacked it knows.
  if (ownRoot && !inApp && wd.value.startsWith("/")) return path;
  const kind = kindOf(path);
  if (kind !== "folder") reading.lack(path);
  if (kind === "missing") reading.error(wd.at, `Cannot find the working directory ${quoted(wd.value)}`, `There is no ${path}`);
  else if (kind !== "folder")
    reading.error(wd.at, `The working directory ${quoted(wd.value)} is not a folder that can be entered`, `It is ${path}`);
  else if (sandbox === "container" && !isInContainer(path, folder))
    reading.error(
      wd.at,
      `The working directory ${quoted(wd.value)} is not to be seen in a container`,
      `It is ${path}; of the host's files a container has the app's folder, /usr and what belongs to that`,
    );
  else return path;
  return undefined;
}

/** Only a warning: the program may be installed later. */
function warnOfMissing(cmd: Located<Command>, needed: Executable, meanwhile: Launch["meanwhile"], { reading }: Context): void {
  if (needed.found) return;
  const { message, hint, until } = needed;
  reading.warning(cmd.at, message, hint === undefined || until === undefined ? hint : `${hint}; ${until} ${meanwhile}`);
}

/** The program, or the script that it is to run. */
function missingOf(argv: Command, wd: string, env: readonly EnvironmentEntry[], context: Context): Executable {
  const { standing, ownRoot } = context;
  const path = env.findLast(([name]) => name === "PATH")?.[1];
  const folders = path === undefined ? standing.programFolders : foldersOf(path);
  const executable: Executable = ownRoot ? { found: true } : findProgram(argv[0], wd, folders, context);
  return executable.found ? findScript(argv, wd, folders) : executable;
}

function findProgram(name: string, wd: string, folders: readonly string[], { sandbox, folder }: Context): Executable {
  const found = findExecutable(name, wd, folders);
  if (sandbox === "process" || !found.found) return found;
  const seen = (path: string): boolean => path === ownCommands || isInContainer(path, folder);
  const there = name.includes("/") ? seen(resolve(wd, name)) : findExecutable(name, wd, folders.filter(seen)).found;
  if (there) return found;
  return {
    found: false,
    message: `The program "${name}" is not to be seen in a container`,
    hint: "Put it into the app's folder, or install it below /usr",
    until: "until then",
  };
}

/** Only a warning: its permissions may change. */
function warnOfClosed(at: Spot, closed: string, meanwhile: Launch["meanwhile"], { standing, reading }: Context): void {
  reading.warning(
    at,
    `The working directory cannot be entered by user ${standing.uid}: permission denied at ${closed}`,
    `Run: chmod a+x ${shellWord(closed)}; until then ${meanwhile}`,
  );
}
