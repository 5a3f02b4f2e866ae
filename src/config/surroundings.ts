/** What of the host's own environment matters: where its run folder may lie, and what programs inherit of it. */
import { delimiter, isAbsolute, join } from "node:path";
import { homedir, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { OwnMachine } from "./settings.ts";
import { findTool } from "../core/find-tool.ts";

/** Nothing else of the host's environment reaches a program. */
const inherited = ["PATH", "LANG", "TZ"] as const;
const fallbackPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Holds `urocket` and `bun`, so that programs find `urocket reply` and TypeScript programs their runtime. */
export const ownCommands = fileURLToPath(new URL("../../bin", import.meta.url));

/** The environment that every program starts from: PATH (with urocket's own commands last), LANG and TZ where they are set. */
export function programEnvironment(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of inherited) {
    const value = environment[name];
    if (value !== undefined && value !== "") result[name] = value;
  }
  result["PATH"] = `${result["PATH"] ?? fallbackPath}${delimiter}${ownCommands}`;
  return result;
}

/** Where a program of the system is that the host itself needs: runc, nft. */
export function findSystemTool(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return findTool(name, environment["PATH"]);
}

/** Folders in which the host may keep what lives only while it runs, the best first. */
export function runtimeFolders(environment: NodeJS.ProcessEnv = process.env, uid = process.getuid?.() ?? 0): readonly string[] {
  const folders: string[] = [];
  if (uid === 0) folders.push("/run/urocket");
  const runtime = environment["XDG_RUNTIME_DIR"];
  if (runtime !== undefined && isAbsolute(runtime)) folders.push(join(runtime, "urocket"));
  // The system's own comes last: where TMPDIR is too long for sockets, or full, /tmp may do.
  for (const temporary of [environment["TMPDIR"], "/tmp"]) {
    if (temporary !== undefined && isAbsolute(temporary)) folders.push(join(temporary, `urocket-${uid}`));
  }
  return [...new Set(folders)];
}

/** What defaults of settings depend on. */
export function ownMachine(): OwnMachine {
  return { memoryBytes: totalmem(), uid: process.geteuid?.() ?? 0, home: homedir() };
}
