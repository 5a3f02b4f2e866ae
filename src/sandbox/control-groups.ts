/**
 * Finds out which control groups (cgroups(7)) this process is in, under which version, and whether it may make groups
 * below its own. Machines differ: version 2 alone, version 1, or both at once ("hybrid"), and in a container or as an
 * ordinary user the files are there but cannot be written.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** "cpuacct" only counts, and is there in version 1 alone: often together with "cpu". */
export const controllers = ["memory", "cpu", "cpuacct", "pids"] as const;
export type Controller = (typeof controllers)[number];

export interface ControllerPlace {
  readonly version: 1 | 2;
  /** This process's own group, absolute. */
  readonly folder: string;
}

/** Where this process's group of a controller is, or why there is none that may be used. */
export type FoundController = { readonly ok: true; readonly place: ControllerPlace } | { readonly ok: false; readonly reason: string };

/** What /proc/self says; passed in so that other machines can be tried. */
export interface GroupFiles {
  /** /proc/self/cgroup */
  readonly membership: string;
  /** /proc/self/mountinfo */
  readonly mounts: string;
}

export function ownGroupFiles(): GroupFiles {
  return { membership: readFileSync("/proc/self/cgroup", "utf8"), mounts: readFileSync("/proc/self/mountinfo", "utf8") };
}

/** The folder of a controller's group, from the two files alone: nothing is checked. */
export function controllerFolder(controller: Controller, files: GroupFiles): ControllerPlace | undefined {
  const v1 = files.membership.split("\n").find((line) => line.split(":")[1]?.split(",").includes(controller));
  if (v1 !== undefined) return placed(1, v1, files.mounts, (type, options) => type === "cgroup" && options.includes(controller));
  const v2 = files.membership.split("\n").find((line) => line.startsWith("0::"));
  return v2 === undefined ? undefined : placed(2, v2, files.mounts, (type) => type === "cgroup2");
}

function placed(
  version: 1 | 2,
  line: string,
  mounts: string,
  isIts: (type: string, options: readonly string[]) => boolean,
): ControllerPlace | undefined {
  const group = line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1);
  for (const mount of mounts.split("\n")) {
    // proc(5): id parent device ROOT POINT options optional… - TYPE source SUPEROPTIONS
    const [before = "", after = ""] = mount.split(" - ");
    const [type = "", , options = ""] = after.split(" ");
    if (!isIts(type, options.split(","))) continue;
    const [, , , root = "/", point = ""] = before.split(" ");
    // A mount may show only a part of the hierarchy (in a container: its own group as the root).
    const below = root !== "/" && group.startsWith(root) ? group.slice(root.length) : group;
    return { version, folder: join(point, below) };
  }
  return undefined;
}

const found = new Map<Controller, FoundController>();

/** Finds this process's group of a controller and checks that groups can be made below it. Looked for once: it is asked for every instance. */
export function findController(controller: Controller): FoundController {
  let known = found.get(controller);
  if (known === undefined) found.set(controller, (known = lookForController(controller, ownGroupFiles())));
  return known;
}

/** The same from files that are passed in. */
export function lookForController(controller: Controller, files: GroupFiles): FoundController {
  const place = controllerFolder(controller, files);
  if (place === undefined) return { ok: false, reason: `no control group hierarchy with the ${controller} controller is mounted` };
  if (!existsSync(place.folder)) return { ok: false, reason: `the control group ${place.folder} is not visible here` };
  try {
    accessSync(place.folder, constants.W_OK);
  } catch {
    return { ok: false, reason: `the control group ${place.folder} may not be written by user ${process.getuid?.() ?? "?"}` };
  }
  if (place.version === 1) return { ok: true, place };
  // Every group of version 2 counts CPU time by itself.
  return controller === "cpuacct" ? { ok: false, reason: "version 2 counts CPU time without it" } : enabled(controller, place);
}

/**
 * Version 2 lets a group have processes or controlled children, not both: where the host is alone in its group, as a
 * service with `Delegate=yes` is, it moves itself into a child and hands the controller on.
 */
function enabled(controller: Controller, place: ControllerPlace): FoundController {
  const available = readFileSync(join(place.folder, "cgroup.controllers"), "utf8").trim().split(" ");
  if (!available.includes(controller)) return { ok: false, reason: `the ${controller} controller is not delegated to ${place.folder}` };
  const control = join(place.folder, "cgroup.subtree_control");
  if (readFileSync(control, "utf8").trim().split(" ").includes(controller)) return { ok: true, place };
  try {
    leaveToChild(place.folder);
    writeFileSync(control, `+${controller}`);
    return { ok: true, place };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return {
      ok: false,
      reason: `the ${controller} controller cannot be handed on by ${place.folder} (${code}): other processes may be in it`,
    };
  }
}

function leaveToChild(folder: string): void {
  const inside = readFileSync(join(folder, "cgroup.procs"), "utf8").trim();
  if (inside !== `${process.pid}`) return;
  const child = join(folder, "urocket-host");
  mkdirSync(child, { recursive: true });
  writeFileSync(join(child, "cgroup.procs"), inside);
}
