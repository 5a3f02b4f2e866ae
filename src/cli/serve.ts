/** `urocket serve` and `urocket dev`: run apps in the foreground until a signal ends them. */
import { resolve } from "node:path";
import {
  type Environment,
  readServeSettings,
  type ServeFlags,
  type ServeMode,
  type ServeSettings,
  type SettingProblem,
} from "../config/settings.ts";
import { ownMachine } from "../config/surroundings.ts";
import { type LogFormat, type OpenLog, openLog } from "../telemetry/log.ts";
import { complain, warn } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath, whyNoFolder } from "./folder-kind.ts";
import { Foreground } from "./foreground.ts";
import { withSourceLines } from "./source-lines.ts";
import type { Stream, Terminal } from "./terminal.ts";

/** @param folders default: the current one. */
export async function serve(
  mode: ServeMode,
  folders: readonly string[],
  flags: ServeFlags,
  environment: Environment,
  terminal: Terminal,
): Promise<ExitCode> {
  const read = readServeSettings(mode, flags, environment, ownMachine());
  const absolute = [...new Set((folders.length === 0 ? ["."] : folders).map((folder) => resolve(folder)))];
  const problems = [...(read.ok ? checkSecrets(read.settings) : read.problems), ...absolute.flatMap(checkFolder)];
  for (const problem of problems) complain(terminal.err, problem);
  if (!read.ok || problems.length > 0) return exitCode.usage;
  for (const warning of read.warnings) warn(terminal.err, warning);
  await using log = mode === "dev" ? openDevLog(read.settings, terminal) : openServeLog(read.settings, terminal);
  // Awaited here, because the log is closed when this scope is left.
  return await new Foreground({ mode, folders: absolute, settings: read.settings, log, terminal }).run(environment);
}

function checkFolder(folder: string): SettingProblem[] {
  const hint = "Name the folder that holds the service file, or start in it. `urocket init DIR` makes one.";
  const why = whyNoFolder(kindOfPath(folder));
  return why === undefined ? [] : [{ message: `Cannot serve ${folder}: ${why}`, hint }];
}

function checkSecrets({ secretsFolder }: ServeSettings): SettingProblem[] {
  if (secretsFolder === undefined) return [];
  const why = whyNoFolder(kindOfPath(secretsFolder));
  const hint = "Name the folder that holds a file for each secret with --secrets, UROCKET_SECRETS_DIR or CREDENTIALS_DIRECTORY.";
  return why === undefined ? [] : [{ message: `Cannot read secrets from ${secretsFolder}: ${why}`, hint }];
}

const formatOf = ({ log }: ServeSettings, { isTerminal }: Stream): LogFormat => (log === "auto" ? (isTerminal ? "pretty" : "json") : log);

function openServeLog(settings: ServeSettings, { out }: Terminal): OpenLog {
  return openLog({ fd: 1, format: formatOf(settings, out), colours: out.colours, requests: settings.requests });
}

/** Requests with what they wrote below them, and failures with the line of source that they come from. */
function openDevLog(settings: ServeSettings, { out }: Terminal): OpenLog {
  const format = formatOf(settings, out);
  const log = openLog({ fd: 1, format, colours: out.colours, requests: settings.requests, gather: true, annotate: withSourceLines() });
  // With each reload instances come and go.
  return { ...log, host: (event) => (event.event === "instance-stopped" ? undefined : log.host(event)) };
}
