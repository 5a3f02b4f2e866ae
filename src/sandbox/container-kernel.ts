/** What containers need of the kernel, and what to do where it does not let this process have it. */
import { existsSync, readFileSync } from "node:fs";
import type { Finding } from "./finding.ts";
import { type MountEntry, readMounts } from "./mounts.ts";

/** In the order in which a container needs it. */
export function examineKernel(isRoot: boolean): Finding[] {
  return [examineUserNamespaces(isRoot), examineSeccomp(), examineProc(readMounts())];
}

/** Why no container starts here, and what to do about it, for those who are told what a runtime said. Undefined: it is not known. */
export function kernelLacks(isRoot: boolean): string | undefined {
  const lacking = examineKernel(isRoot).filter(({ state }) => state !== "ok");
  return lacking.length === 0 ? undefined : lacking.map(({ detail, fix }) => `${detail}. ${fix}`).join("; ");
}

function examineUserNamespaces(isRoot: boolean): Finding {
  const what = "user namespaces";
  const missing = (detail: string, fix: string): Finding => ({ what, state: "missing", detail, fix });
  if (!existsSync("/proc/self/ns/user")) return missing("the kernel has none (CONFIG_USER_NS)", "Run a kernel with CONFIG_USER_NS=y");
  const most = sysctl("user/max_user_namespaces");
  if (most === 0) return missing("user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=15000");
  if (!isRoot && sysctl("kernel/unprivileged_userns_clone") === 0) {
    return missing("kernel.unprivileged_userns_clone is 0: root alone may make them", "sysctl -w kernel.unprivileged_userns_clone=1");
  }
  if (!isRoot && sysctl("kernel/apparmor_restrict_unprivileged_userns") === 1) {
    return {
      what,
      state: "limited",
      detail: "kernel.apparmor_restrict_unprivileged_userns is 1: an ordinary user has them where AppArmor has a profile for the runtime",
      fix: "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for the runtime with 'userns,'",
    };
  }
  return { what, state: "ok", detail: most === undefined ? "there" : `at most ${most}` };
}

function examineSeccomp(): Finding {
  const what = "seccomp";
  if (/^Seccomp:/m.test(readFileSync("/proc/self/status", "latin1"))) return { what, state: "ok", detail: "there" };
  return {
    what,
    state: "missing",
    detail: "the kernel has none (CONFIG_SECCOMP_FILTER), and containers are not started without",
    fix: "Run a kernel with CONFIG_SECCOMP=y and CONFIG_SECCOMP_FILTER=y",
  };
}

/** Folders of /proc that are empty for ever, and there to be mounted on (the kernel's proc_create_mount_point and its like). */
const mountPoints: readonly string[] = ["/proc/fs/nfsd", "/proc/openprom", "/proc/sys/fs/binfmt_misc", "/proc/xen"];

/** A new /proc may be mounted only by those who see all of one (mount_namespaces(7), "restrictions"). */
export function examineProc(mounts: readonly MountEntry[]): Finding {
  const what = "/proc";
  const covered = mounts.find(({ point }) => point.startsWith("/proc/") && !mountPoints.includes(point));
  if (covered === undefined) return { what, state: "ok", detail: "wholly visible" };
  return {
    what,
    state: "missing",
    detail: `${covered.point} is covered by a mount: this is a container itself, and the kernel then refuses a new /proc to those inside it`,
    fix: "Run urocket on the machine itself, or its container with --privileged (Docker: --security-opt systempaths=unconfined)",
  };
}

function sysctl(name: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/${name}`, "latin1"));
  } catch {
    return undefined;
  }
}
