/**
 * The OCI runtime that makes containers: crun, or runc, as the distribution brings it. It is started for each container and is gone
 * when that runs; what it remembers of one lies in that container's own folder, so that nothing has to be asked of it afterwards.
 */
import { join } from "node:path";
import { findSystemTool } from "../config/surroundings.ts";
import { readMounts } from "./mounts.ts";

export type RuntimeName = "crun" | "runc";

export interface OciRuntime {
  readonly name: RuntimeName;
  /** Absolute. */
  readonly file: string;
  readonly version: string;
}

/** The best first. Older ones lack what is asked of them here. */
const known: readonly { readonly name: RuntimeName; readonly least: string }[] = [
  { name: "crun", least: "1.8" },
  { name: "runc", least: "1.1" },
];

export interface RuntimeSearch {
  readonly found?: OciRuntime;
  /** Those that are here and will not do: "runc 1.0.3 (/usr/bin/runc) is older than 1.1". */
  readonly unfit: readonly string[];
}

/**
 * The runtime to take.
 * @param isRoot crun refuses machines with control groups of both versions, and only root can hide one of them from it.
 * @param only one of them.
 */
export async function findRuntime(isRoot: boolean, only?: RuntimeName): Promise<RuntimeSearch> {
  const unfit: string[] = [];
  for (const { name, least } of known) {
    if (only !== undefined && only !== name) continue;
    const file = findSystemTool(name);
    if (file === undefined) continue;
    const version = await versionOf(file);
    if (version === undefined) unfit.push(`${file} does not run`);
    else if (name === "crun" && !isRoot && hasBothVersions())
      unfit.push(`${file} needs root where control groups of both versions are mounted`);
    else if (isOlder(version, least)) unfit.push(`${name} ${version} (${file}) is older than ${least}`);
    else return { found: { name, file, version }, unfit };
  }
  return { unfit };
}

function hasBothVersions(): boolean {
  const types = new Set(readMounts().map(({ type }) => type));
  return types.has("cgroup") && types.has("cgroup2");
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    const child = Bun.spawn([file, "--version"], { stdio: ["ignore", "pipe", "ignore"], timeout: 5_000 });
    const text = await new Response(child.stdout).text();
    return /version (\d+(?:\.\d+)*)/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/** Of versions such as 1.8.1. */
export function isOlder(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split(".").map(Number));
  for (const [index, wanted] of (b ?? []).entries()) {
    const part = a?.[index] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}

export interface RuntimeRun {
  /** Of the container. */
  readonly id: string;
  /** The bundle's: the runtime's memory of the container is kept in it too. */
  readonly folder: string;
  readonly pidFile: string;
}

/** Where in a bundle the runtime keeps what it remembers of the container. */
export const stateFolder = "state";

/** The command that starts a container and returns when its first process runs. */
export function runCommand({ name, file }: OciRuntime, { id, folder, pidFile }: RuntimeRun): readonly string[] {
  const state = join(folder, stateFolder);
  // Control groups are ours, made before: crun would join each hierarchy anew, at 10 ms of the kernel's time.
  const own = name === "crun" ? ["--cgroup-manager=disabled"] : [];
  // A keyring for each would use up those that the kernel allows a user.
  return [file, ...own, "--root", state, "run", "--detach", "--no-new-keyring", "--pid-file", pidFile, "--bundle", folder, id];
}
