/**
 * Finds out which control groups (cgroups(7)) this process is in, under which version, and whether it may make groups
 * below its own. Machines differ: version 2 alone, version 1, or both at once ("hybrid"), and in a container or as an
 * ordinary user the files are there but cannot be written.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { lineageOf } from "./process-figures.ts";

/** "cpuacct" only counts, and is there in version 1 alone: often together with "cpu". */
export const controllers = ["memory", "cpu", "cpuacct", "pids"] as const;
export type Controller = (typeof controllers)[number];

export interface ControllerPlace {
  readonly version: 1 | 2;
  /** This process's own group, absolute. */
  readonly folder: string;
}

/** Where this process's group of a controller is, or why there is none that may be used. */
export type FoundController =
  | { readonly ok: true; readonly place: ControllerPlace }
  | { readonly ok: false; readonly cause: ControllerFault; readonly reason: string };

export type ControllerFault =
  /** The kernel was built or started without it. */
  | "switched-off"
  | "not-mounted"
  /** The files of this process's group are not in its sight. */
  | "not-visible"
  | "read-only"
  | "not-permitted"
  /** Version 2: whoever made this process's group did not hand the controller to it. */
  | "not-delegated"
  /** Version 2: other processes are in this process's group, so that it cannot hand the controller on. */
  | "occupied"
  /** Nobody needs it: version 2 counts CPU time by itself. */
  | "not-needed";

/** What /proc says; passed in so that other machines can be tried. */
export interface GroupFiles {
  /** /proc/self/cgroup */
  readonly membership: string;
  /** /proc/self/mountinfo */
  readonly mounts: string;
  /** /proc/cgroups: what the kernel has. */
  readonly kernel?: string | undefined;
  /** This process, its parent and so on upwards; absent: looked up where it matters. */
  readonly lineage?: Lineage;
}

type Lineage = ReturnType<typeof lineageOf>;

/** Where a host moves itself in version 2, to hand controllers on. */
const hostGroup = "urocket-host";
/** A group without processes that hands controllers on to nobody, so that they cannot be taken from the group above it. */
const guardGroup = "urocket-guard";

export function ownGroupFiles(): GroupFiles {
  return {
    membership: readFileSync("/proc/self/cgroup", "utf8"),
    mounts: readFileSync("/proc/self/mountinfo", "utf8"),
    kernel: existsSync("/proc/cgroups") ? readFileSync("/proc/cgroups", "utf8") : undefined,
  };
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
    const folder = join(point, below);
    return { version, folder: version === 2 && basename(folder) === hostGroup ? dirname(folder) : folder };
  }
  return undefined;
}

const found = new Map<Controller, FoundController>();

/**
 * Claims what there is, first of all that a host does: in version 2 it can move only as long as nothing that it started is in its group.
 */
export function claimControllers(): void {
  for (const controller of controllers) findController(controller);
}

/**
 * Finds this process's group of a controller and makes sure that groups can be made below it. Looked for once: it is asked for every
 * instance. In version 2 that may move this process, see `handOn`.
 */
export function findController(controller: Controller): FoundController {
  let known = found.get(controller);
  if (known === undefined) found.set(controller, (known = claimController(controller, ownGroupFiles())));
  return known;
}

/** The same from files that are passed in. */
export function claimController(controller: Controller, files: GroupFiles): FoundController {
  const looked = examineController(controller, files);
  return looked.ok && looked.place.version === 2 ? handOn(controller, looked.place, files) : looked;
}

/** Whether groups of a controller can be made below this process's own. Changes nothing. */
export function examineController(controller: Controller, files: GroupFiles = ownGroupFiles()): FoundController {
  const place = controllerFolder(controller, files);
  if (place === undefined) return missing(controller, files);
  const { folder, version } = place;
  if (version === 2 && controller === "cpuacct") return fault("not-needed", "version 2 counts CPU time without it");
  if (!existsSync(folder)) return fault("not-visible", `the control group ${folder} is not visible here`);
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    if (codeOf(error) === "EROFS") return fault("read-only", `the control group ${folder} is mounted read-only`);
    return fault("not-permitted", `the control group ${folder} may not be written by user ${process.getuid?.() ?? "?"}`);
  }
  return version === 1 ? { ok: true, place } : examineV2(controller, place, files);
}

function missing(controller: Controller, files: GroupFiles): FoundController {
  if (isSwitchedOff(controller, files)) return switchedOff(controller);
  return fault("not-mounted", `no control group hierarchy with the ${controller} controller is mounted`);
}

function examineV2(controller: Controller, place: ControllerPlace, files: GroupFiles): FoundController {
  const { folder } = place;
  if (!words(folder, "cgroup.controllers").includes(controller)) {
    if (!isAtTop(controller, files) && isSwitchedOff(controller, files)) return switchedOff(controller);
    return fault("not-delegated", `the ${controller} controller is not delegated to ${folder}`);
  }
  const given = words(folder, "cgroup.subtree_control").includes(controller);
  // The root of the hierarchy, which has no type, may have both.
  const mayGive = given || isAlone(folder, files.lineage) || !existsSync(join(folder, "cgroup.type"));
  return mayGive ? { ok: true, place } : occupied(controller, folder);
}

/** Of version 2. Linux 6.14 and later leave those out of /proc/cgroups that they do not have for version 1. */
function isAtTop(controller: Controller, { mounts }: GroupFiles): boolean {
  const top = placed(2, "0::/", mounts, (type) => type === "cgroup2");
  return (
    top !== undefined && existsSync(join(top.folder, "cgroup.controllers")) && words(top.folder, "cgroup.controllers").includes(controller)
  );
}

/** /proc/cgroups: name, hierarchy, number of groups, enabled. */
function isSwitchedOff(controller: Controller, { kernel }: GroupFiles): boolean {
  if (kernel === undefined) return false;
  const line = kernel.split("\n").find((one) => one.startsWith(`${controller}\t`));
  return line === undefined || line.trimEnd().endsWith("\t0");
}

/**
 * Version 2 lets a group have processes or controlled children, not both: where the host is alone in its group, as a
 * service with `Delegate=yes` is, it moves itself into a child and hands the controller on.
 */
function handOn(controller: Controller, place: ControllerPlace, { lineage }: GroupFiles): FoundController {
  const { folder } = place;
  if (words(folder, "cgroup.subtree_control").includes(controller)) return { ok: true, place };
  try {
    if (isAlone(folder, lineage)) leaveToChild(folder);
    writeFileSync(join(folder, "cgroup.subtree_control"), `+${controller}`);
  } catch (error) {
    return codeOf(error) === "EBUSY" ? occupied(controller, folder) : fault("not-permitted", `${folder}: ${String(error)}`);
  }
  if (existsSync(join(folder, "cgroup.type"))) guard(controller, folder);
  return { ok: true, place };
}

/**
 * systemd takes controllers back from a unit that it has not delegated, whenever a property of the unit is set, and with them all limits
 * below. The kernel refuses that while a child hands the same controllers on.
 */
function guard(controller: Controller, folder: string): void {
  const child = join(folder, guardGroup);
  try {
    mkdirSync(child, { recursive: true });
    writeFileSync(join(child, "cgroup.subtree_control"), `+${controller}`);
  } catch {
    // The limits hold all the same, as long as nobody takes the controller.
  }
}

/** Nobody is in it but this process and those that only wait for it: npx, a script that starts it. */
function isAlone(folder: string, lineage: Lineage = lineageOf(process.pid)): boolean {
  const inside = processesIn(folder);
  if (inside.every((pid) => pid === process.pid)) return true;
  const own = lineage[0]?.session;
  // Who began another session is a daemon that starts other things too, as cron does; in a scope, which may be a login's, also who
  // leads this one: a shell.
  const waiting = lineage.filter(({ pid, session }) => session === own && !(folder.endsWith(".scope") && pid === session));
  return inside.every((one) => one === process.pid || waiting.some(({ pid }) => pid === one));
}

function leaveToChild(folder: string): void {
  const child = join(folder, hostGroup);
  mkdirSync(child, { recursive: true });
  for (const pid of new Set([process.pid, ...processesIn(folder)])) writeFileSync(join(child, "cgroup.procs"), `${pid}`);
}

function processesIn(folder: string): number[] {
  return words(folder, "cgroup.procs").flatMap((pid) => (pid === "" ? [] : [Number(pid)]));
}

function switchedOff(controller: Controller): FoundController {
  return fault("switched-off", `the kernel runs without its ${controller} controller`);
}

function occupied(controller: Controller, folder: string): FoundController {
  return fault("occupied", `the ${controller} controller cannot be handed on by ${folder}: other processes are in that group`);
}

function fault(cause: ControllerFault, reason: string): FoundController {
  return { ok: false, cause, reason };
}

function words(folder: string, file: string): string[] {
  return readFileSync(join(folder, file), "utf8").trim().split(/\s+/);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
