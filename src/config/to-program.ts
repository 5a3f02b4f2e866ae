/** From `inject` to a program that can be started, with everything checked that needs the machine. */
import { resolve } from "node:path";
import { closedFolder } from "../core/folder-access.ts";
import { payloadPlaceholder } from "../core/program-arguments.ts";
import { shellWord } from "../core/shell-word.ts";
import { findUser } from "../core/users.ts";
import type { EnvironmentEntry, Inject } from "./app.ts";
import type { Context } from "./context.ts";
import type { ReadInject } from "./description.ts";
import type { Located } from "./fields.ts";
import { findExecutable, foldersOf, kindOf } from "./machine.ts";
import { findScript } from "./script.ts";
import type { Spot } from "./value.ts";
import { quoted } from "./value.ts";

/** `appEnv` goes before the program's own, which then counts. */
export function injectOf({ value }: Located<ReadInject>, appEnv: readonly EnvironmentEntry[], context: Context): Inject | undefined {
  const { cmd, user } = value;
  const wd = wdOf(value, context);
  const env = [...appEnv, ...(value.env?.value ?? [])];
  const channel = value.channel?.value ?? "stdin";
  if (user) checkUser(user, context);
  if (cmd === undefined) return undefined;
  const closed = wd === undefined ? undefined : closedFolder(wd);
  if (closed !== undefined) warnOfClosed(value.wd?.at ?? cmd.at, closed, context);
  else if (wd !== undefined) warnOfProgram(cmd, wd, env, context);
  if (channel === "stdin" && cmd.value.some((word) => word.includes(payloadPlaceholder))) {
    context.reading.error(
      cmd.at,
      `${payloadPlaceholder} needs the payload on the command line, and the channel is stdin`,
      "Write `channel: cmdline`, or take it out of `cmd`",
    );
  }
  return {
    wd: wd ?? context.folder,
    env,
    argv: cmd.value,
    channel,
    encoding: value.encoding?.value ?? "json",
    ...(user ? { user: user.value } : {}),
  };
}

/** A wrong one is told here: the kernel's own answer to it (ENOENT) would name the program instead. */
function wdOf({ wd }: ReadInject, { folder, reading }: Context): string | undefined {
  if (wd === undefined) return folder;
  const path = resolve(folder, wd.value);
  const kind = kindOf(path);
  if (kind === "folder") return path;
  if (kind === "missing") reading.error(wd.at, `Cannot find the working directory ${quoted(wd.value)}`, `There is no ${path}`);
  else reading.error(wd.at, `The working directory ${quoted(wd.value)} is not a folder that can be entered`, `It is ${path}`);
  return undefined;
}

/** Only a warning: the program may be installed later. */
function warnOfProgram(
  cmd: Located<readonly [string, ...string[]]>,
  wd: string,
  env: readonly EnvironmentEntry[],
  { standing, reading }: Context,
): void {
  const path = env.findLast(([name]) => name === "PATH")?.[1];
  const folders = path === undefined ? standing.programFolders : foldersOf(path);
  const executable = findExecutable(cmd.value[0], wd, folders);
  const needed = executable.found ? findScript(cmd.value, wd, folders) : executable;
  if (!needed.found) reading.warning(cmd.at, needed.message, needed.hint);
}

/** Only a warning: its permissions may change. */
function warnOfClosed(at: Spot, closed: string, { standing, reading }: Context): void {
  reading.warning(
    at,
    `The working directory cannot be entered by user ${standing.uid}: permission denied at ${closed}`,
    `Run: chmod a+x ${shellWord(closed)}; until then its requests are answered 502`,
  );
}

function checkUser({ value, at }: Located<string>, { standing, reading }: Context): void {
  if (findUser(value, standing.usersFile) === undefined)
    reading.error(at, `There is no user ${quoted(value)} on this system`, "Create it, or take `user:` out");
  else if (standing.uid !== 0)
    reading.error(at, `Running a program as ${quoted(value)} needs root`, "Run urocket as root, or take `user:` out");
}
