/** What containers need here, and how their runtime is chosen: urocket takes crun where it works, so for runc it is shown one that does not. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ground } from "../process/ground.ts";
import { findNetworkLack, findTool, isInOwnNetwork } from "../process/own-network.ts";

export const runtimes = ["crun", "runc"] as const;
export type Runtime = (typeof runtimes)[number];

/** Why this run can have no containers with a network; undefined: it can. */
export function findContainersLack(): string | undefined {
  const lack = findNetworkLack();
  if (lack !== undefined) return lack;
  if (!isInOwnNetwork()) return "it needs a network namespace of the bench's own";
  const missing = [...runtimes, "tini", "nft", "nsenter", "mount"].filter((tool) => findTool(tool) === null);
  return missing.length === 0 ? undefined : `it needs ${missing.join(", ")}: run 'npm run bench -- setup'`;
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment in which urocket takes this runtime. */
export function environmentFor(ground: Ground, runtime: Runtime): Readonly<Record<string, string>> {
  if (runtime === "crun") return { PATH: systemPath };
  const folder = join(ground.folder, "only-runc");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "crun"), "#!/bin/sh\nexit 1\n");
  chmodSync(join(folder, "crun"), 0o755);
  return { PATH: `${folder}:${systemPath}` };
}
