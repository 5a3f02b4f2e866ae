/**
 * Control groups of hosts that were killed. Each host makes its own below the group that it is in itself, and that may be another's than
 * this process's: another session, another unit. So all of each hierarchy is looked through, for marks of hosts that are no more.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { controllers } from "./control-groups.ts";
import { isAbandoned } from "./group-names.ts";
import { endProcess, groupsBelow, removeTree } from "./instance-groups.ts";
import { readProcesses } from "./memory-slots.ts";
import { readMounts } from "./mounts.ts";

/** How deep machines nest groups: slices, units, pods and containers. */
const depthMax = 12;
/** Of removing, each a millisecond later than the one before it. */
const roundsMax = 50;
/** With that of which runc makes one for each container, where there is version 1. */
const ours = [...controllers, "devices"] as const;

interface Leftover {
  readonly name: string;
  readonly folder: string;
  /** Of its hierarchy. */
  readonly controllers: readonly string[];
}

/** As words: "control groups urocket-4711-12-… (memory, pids)". */
export function describeAbandonedGroups(): string[] {
  const held = new Map<string, string[]>();
  for (const { name, controllers: some } of leftovers()) held.set(name, [...(held.get(name) ?? []), ...some]);
  return [...held].map(([name, some]) => `control groups ${name} (${[...new Set(some)].join(", ")})`);
}

/** Their folders. */
export function abandonedGroups(): string[] {
  return leftovers().map(({ folder }) => folder);
}

/** Ends what is in them, and removes them. */
export async function sweepGroups(): Promise<void> {
  let left = abandonedGroups();
  // What was just ended takes a moment to leave its groups.
  for (let round = 0; round < roundsMax && left.length > 0; round++) {
    for (const pid of left.flatMap((folder) => groupsBelow(folder).flatMap(readProcesses))) endProcess(pid);
    left = left.filter((folder) => !removeTree(folder));
    if (left.length > 0) await Bun.sleep(round);
  }
}

function leftovers(): Leftover[] {
  return readMounts().flatMap(({ type, point, superOptions }) => {
    const some = controllersOf(type, point, superOptions);
    return some.length === 0 ? [] : abandonedBelow(point).map((found) => ({ ...found, controllers: some }));
  });
}

/** Those of ours that a hierarchy has. */
function controllersOf(type: string, point: string, superOptions: readonly string[]): readonly string[] {
  if (type === "cgroup") return ours.filter((controller) => superOptions.includes(controller));
  if (type !== "cgroup2") return [];
  try {
    const there = readFileSync(join(point, "cgroup.controllers"), "latin1").trim().split(" ");
    return controllers.filter((controller) => there.includes(controller));
  } catch {
    return [];
  }
}

function abandonedBelow(folder: string, depth = 0): { name: string; folder: string }[] {
  if (depth > depthMax) return [];
  return groupsIn(folder).flatMap((name) => {
    const path = join(folder, name);
    return isAbandoned(name) ? [{ name, folder: path }] : abandonedBelow(path, depth + 1);
  });
}

function groupsIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    // Gone meanwhile, or not for this user to see.
    return [];
  }
}
