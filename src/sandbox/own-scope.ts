/**
 * A scope of the host's own, asked for from systemd (org.freedesktop.systemd1(5), systemd.scope(5)). Whoever starts a host from a terminal
 * or over SSH is in the scope of that login, with a shell, and as an ordinary user it belongs to somebody else: in version 2 no group
 * can be made there. systemd moves a process that asks into a new scope with all controllers, for an ordinary user below its own
 * service. A service stays where it is: it has its unit, in which `Delegate=yes` says the same.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findSystemTool } from "../config/surroundings.ts";
import {
  claimControllers,
  type Controller,
  controllerFolder,
  examineController,
  type GroupFiles,
  ownGroupFiles,
} from "./control-groups.ts";
import { ownerMark } from "./group-names.ts";
import { readMounts } from "./mounts.ts";

/** In which the scope is there; a machine that is starting may be slow. */
const waitMsMax = 5000;

/** Who systemd is, for this process. */
export interface ScopeGiver {
  /** Where a bus to it is. */
  readonly bus: string;
  /** The group that its scopes are below: what this one has, they can have. */
  readonly folder: string;
}

/** As root the machine's systemd, else the user's own; undefined: there is none. */
export function scopeGiver(uid = process.geteuid?.() ?? 0): ScopeGiver | undefined {
  const mount = readMounts().find(({ type }) => type === "cgroup2")?.point;
  if (mount === undefined || !existsSync("/run/systemd/system") || findSystemTool("busctl") === undefined) return undefined;
  const user = join(mount, `user.slice/user-${uid}.slice/user@${uid}.service`);
  const giver = uid === 0 ? { bus: "/run/dbus/system_bus_socket", folder: mount } : { bus: `/run/user/${uid}/bus`, folder: user };
  return existsSync(giver.bus) && existsSync(giver.folder) ? giver : undefined;
}

/** Whether a controller that cannot be used where this process is can be in a scope of its own. */
export function scopeHelps(controller: Controller, files: GroupFiles, giver: ScopeGiver | undefined): boolean {
  const place = controllerFolder(controller, files);
  if (giver === undefined || place?.version !== 2 || !place.folder.endsWith(".scope")) return false;
  const found = examineController(controller, files);
  if (found.ok || !["occupied", "not-permitted", "not-delegated"].includes(found.cause)) return false;
  return readFileSync(join(giver.folder, "cgroup.controllers"), "utf8").trim().split(" ").includes(controller);
}

/**
 * The first thing that a host does: sees to it that it can make control groups, in a scope of its own where that is needed. What
 * cannot be had is told later, as a limit that is not held.
 */
export async function settleInGroups(): Promise<void> {
  const giver = scopeGiver();
  const files = ownGroupFiles();
  const helps = (["memory", "cpu", "pids"] as const).some((controller) => scopeHelps(controller, files, giver));
  if (helps && (await askForScope())) await moved(files.membership);
  claimControllers();
}

/** Whether systemd says that it will. */
async function askForScope(): Promise<boolean> {
  const tool = findSystemTool("busctl");
  const uid = process.geteuid?.() ?? 0;
  if (tool === undefined) return false;
  const properties = [
    ["Description", "s", "urocket"],
    ["PIDs", "au", "1", `${process.pid}`],
    ["Delegate", "b", "true"],
    // As many as where it was: the number of a scope's processes would be limited by default, whatever apps need.
    ["TasksMax", "t", `${2n ** 64n - 1n}`],
    ["CollectMode", "s", "inactive-or-failed"],
  ];
  const manager = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
  const named = ["StartTransientUnit", "ssa(sv)a(sa(sv))", `${ownerMark()}.scope`, "fail"];
  const child = Bun.spawn(
    [tool, uid === 0 ? "--system" : "--user", "--quiet", "call", ...manager, ...named, `${properties.length}`, ...properties.flat(), "0"],
    { stdio: ["ignore", "ignore", "ignore"], env: { XDG_RUNTIME_DIR: `/run/user/${uid}` }, timeout: waitMsMax },
  );
  return (await child.exited) === 0;
}

/** systemd answers before it has moved the process. */
async function moved(from: string): Promise<void> {
  const end = performance.now() + waitMsMax;
  while (ownGroupFiles().membership === from && performance.now() < end) await Bun.sleep(1);
}
