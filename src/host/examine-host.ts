/** What of this machine matters to every host, whatever its apps: what it runs on, how much it may open, and its folders. */
import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { release } from "node:os";
import { dirname } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { reasonOf } from "../core/system-error.ts";
import { formatSize } from "../core/units.ts";
import { connectionsWithin } from "../gateway/http-limits.ts";
import type { Finding } from "../sandbox/finding.ts";
import { openFilesMax } from "../sandbox/open-files.ts";
import { fullRunFolderHint } from "../sandbox/sandbox-failure.ts";
import { whyNoRunFolder } from "./run-folder.ts";

export interface HostFacts {
  /** The version of Bun that urocket is tested with. */
  readonly bunVersion: string;
  /** Where the host may keep what lives while it runs, the best first. */
  readonly runFolders: readonly string[];
  /** Where apps keep their data, absolute. */
  readonly dataFolder: string;
}

export function examineHost({ bunVersion, runFolders, dataFolder }: HostFacts): readonly Finding[] {
  return [examineBun(bunVersion), examineKernel(), examineOpenFiles(openFilesMax()), examineRunFolder(runFolders), examineData(dataFolder)];
}

function examineBun(tested: string): Finding {
  const what = "Bun";
  const detail = `${Bun.version} (${process.execPath})`;
  if (Bun.version === tested) return { what, state: "ok", detail };
  return {
    what,
    state: "limited",
    detail: `${detail}; urocket is tested with ${tested} and may fail with another`,
    fix: "Start it by its own command, urocket, from a package that was installed with its optional dependencies (npm ci)",
  };
}

function examineKernel(): Finding {
  const what = "kernel";
  const detail = `${process.platform} ${release()} ${process.arch}, as ${process.geteuid?.() === 0 ? "root" : `user ${process.geteuid?.()}`}`;
  return {
    what,
    state: process.platform === "linux" ? "ok" : "missing",
    detail,
    ...(process.platform === "linux" ? {} : { fix: "Run it on Linux" }),
  };
}

/** Connections that a small machine may want at once; each needs a descriptor. */
const connectionsWanted = 4096;

/** @param files descriptors that the process may have open; undefined: no limit. */
export function examineOpenFiles(files: number | undefined): Finding {
  const what = "open files";
  const connections = connectionsWithin(files);
  const detail = `${files ?? "any number"}, which is enough for ${connections} connections at once`;
  if (connections >= connectionsWanted) return { what, state: "ok", detail };
  return {
    what,
    state: "limited",
    detail: `${files}, which is enough for no more than ${connections} connections at once`,
    fix: "Run: ulimit -n 65536 (in a systemd unit: LimitNOFILE=65536)",
  };
}

/** Builds of functions, secrets and containers' own files come to a few MiB for each app. */
const roomWantedBytes = 16 * 1024 * 1024;

function examineRunFolder(candidates: readonly string[]): Finding {
  const what = "run folder";
  const why = whyNoRunFolder(candidates);
  if (why === undefined) return examineRoom(candidates.find((base) => whyNoRunFolder([base]) === undefined) ?? "");
  return {
    what,
    state: "missing",
    detail: `none can be made, and no app can be served: ${why}`,
    fix: "Set XDG_RUNTIME_DIR or TMPDIR to a folder with a short path that this user may write to",
  };
}

/** @param folder the run folder, which may not have been made yet. */
function examineRoom(folder: string): Finding {
  const what = "run folder";
  const { bavail, bsize } = statfsSync(nearestThere(folder));
  const free = bavail * bsize;
  if (free >= roomWantedBytes) return { what, state: "ok", detail: folder };
  return {
    what,
    state: "limited",
    detail: `${folder} has ${free === 0 ? "no" : `only ${formatSize(free)} of`} room left, which functions, secrets and containers need`,
    fix: fullRunFolderHint,
  };
}

/** Apps without `data: true` do not need it. */
function examineData(folder: string): Finding {
  const what = "data folder";
  const nearest = nearestThere(folder);
  try {
    if (!statSync(nearest).isDirectory()) return noData(folder, `${nearest} is not a folder`);
    accessSync(nearest, constants.W_OK | constants.X_OK);
    return { what, state: "ok", detail: nearest === folder ? folder : `${folder}, which is made when the first app needs it` };
  } catch (error) {
    return noData(folder, `${nearest}: ${reasonOf(error)}`);
  }
}

function noData(folder: string, why: string): Finding {
  return {
    what: "data folder",
    state: "limited",
    detail: `${folder} cannot be written to, so apps with \`data: true\` cannot be served: ${why}`,
    fix: `Name another with --data or UROCKET_DATA, or run as root: mkdir -p ${shellWord(folder)} && chown ${process.geteuid?.() ?? 0} ${shellWord(folder)}`,
  };
}

function nearestThere(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestThere(dirname(path));
}
