/** Which limits this machine lets the host hold, why not and what to do about it: for `urocket doctor`, `check` and the start. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ControllerFault, examineController, type FoundController, type GroupFiles, ownGroupFiles } from "./control-groups.ts";
import type { Finding } from "./finding.ts";
import { cpuLimitWords, memoryLimitWords, notHeldWords, pidsLimitWords } from "./limit-words.ts";
import { scopeGiver, scopeHelps } from "./own-scope.ts";
import type { InstanceLimits } from "./sandbox.ts";

/** What is limited by a controller, in the plural and for people. */
const limited = { memory: "memory limits", cpu: "CPU limits", pids: "process limits" } as const;
type Limiting = keyof typeof limited;

/** A finding for each controller that limits. Changes nothing. */
export function examineLimits(files: GroupFiles = ownGroupFiles()): Finding[] {
  return (Object.keys(limited) as Limiting[]).map((controller) => examine(controller, files));
}

function examine(controller: Limiting, files: GroupFiles): Finding {
  const what = limited[controller];
  const found = examineController(controller, files);
  if (!found.ok && scopeHelps(controller, files, scopeGiver())) {
    return { what, state: "ok", detail: "control groups, version 2: in a scope that systemd makes for the host when it starts" };
  }
  if (!found.ok) {
    return {
      what,
      state: "limited",
      detail: notHeldWords(`limits.${controller}`, controller, found.reason),
      fix: fixOf(found.cause, controller),
    };
  }
  const { version, folder } = found.place;
  const place = `control groups, version ${version}: ${folder}`;
  if (controller === "cpu" && !hasQuotas(found)) {
    return {
      what,
      state: "limited",
      detail: `limits.cpu is not held: ${noQuotas}`,
      fix: "Use a kernel that was built with CONFIG_CFS_BANDWIDTH",
    };
  }
  if (controller === "memory" && !countsSwap(found)) {
    const fix = 'Add "swapaccount=1" to the kernel\'s command line and restart the machine, or do without swap: swapoff -a';
    return { what, state: "limited", detail: `${place}; swap is not counted: what is over limits.memory is swapped out first`, fix };
  }
  return { what, state: "ok", detail: place };
}

/**
 * For each stated limit that cannot be held here a sentence that says why: what an instance would be told when it starts. Both
 * sandboxes hold them by the same control groups; without one an ordinary user's container has a resource limit of processes.
 */
export function limitsNotHeldHere(
  { memoryBytesMax, cpuMax, pidsMax }: InstanceLimits,
  sandbox: "process" | "container",
  files: GroupFiles = ownGroupFiles(),
): string[] {
  const countsInContainer = sandbox === "container" && process.getuid?.() !== 0;
  const stated: readonly (readonly [Limiting, string | undefined])[] = [
    ["memory", memoryBytesMax === undefined ? undefined : memoryLimitWords(memoryBytesMax)],
    ["cpu", cpuMax === undefined ? undefined : cpuLimitWords(cpuMax)],
    ["pids", pidsMax === undefined ? undefined : pidsLimitWords(pidsMax)],
  ];
  return stated.flatMap(([controller, words]) => {
    if (words === undefined || (controller === "pids" && countsInContainer)) return [];
    const found = examineController(controller, files);
    if (found.ok) return controller === "cpu" && !hasQuotas(found) ? [`${words} is not held: ${noQuotas}`] : [];
    if (scopeHelps(controller, files, scopeGiver())) return [];
    return [notHeldWords(words, controller, found.reason)];
  });
}

const noQuotas = "the kernel has no CPU quotas (CONFIG_CFS_BANDWIDTH)";

/** The root group of version 2 has none of its own, and its children have. */
function hasQuotas(found: FoundController & { ok: true }): boolean {
  const { version, folder } = found.place;
  return version === 2 || existsSync(join(folder, "cpu.cfs_quota_us"));
}

function countsSwap(found: FoundController & { ok: true }): boolean {
  const { version, folder } = found.place;
  if (version === 1) return existsSync(join(folder, "memory.memsw.limit_in_bytes")) || !hasSwap();
  return existsSync(join(folder, "memory.swap.max")) || !existsSync(join(folder, "cgroup.type")) || !hasSwap();
}

function hasSwap(): boolean {
  try {
    return !/^SwapTotal:\s+0 kB$/m.test(readFileSync("/proc/meminfo", "latin1"));
  } catch {
    return false;
  }
}

function fixOf(cause: ControllerFault, controller: Limiting): string {
  const root = process.getuid?.() === 0;
  const scope = `systemd-run ${root ? "" : "--user "}--scope -p Delegate=yes urocket serve …`;
  switch (cause) {
    case "switched-off":
      if (controller !== "memory") return `Use a kernel that was built with its ${controller} controller`;
      return 'Add "cgroup_enable=memory cgroup_memory=1" to the kernel\'s command line (Raspberry Pi OS: the one line of /boot/firmware/cmdline.txt) and restart the machine';
    case "not-mounted":
    case "not-visible":
    case "read-only":
      if (!isInContainer() && cause === "read-only")
        return "Run the host where they can be written (a systemd unit: without ProtectControlGroups=)";
      if (!isInContainer()) return "Mount control groups: mount -t cgroup2 none /sys/fs/cgroup";
      return "Give this container writable control groups of its own (Docker: --privileged --cgroupns=private; Kubernetes: securityContext.privileged)";
    case "not-delegated":
      if (root) return `Run the host as a systemd service with Delegate=yes, or by: ${scope}`;
      return 'Let systemd delegate it to users: "systemctl edit user@.service", with the lines [Service] and Delegate=cpu memory pids; then log in again';
    case "not-permitted":
      return root ? "Run the host outside of this sandbox, or with CAP_SYS_ADMIN" : `Run the host as root, or by: ${scope}`;
    case "occupied":
      return `Run the host alone in a group that is its own: a systemd service with Delegate=yes, or: ${scope}`;
    case "not-needed":
      return "";
  }
}

/** Docker and Podman leave these. */
function isInContainer(): boolean {
  return existsSync("/.dockerenv") || existsSync("/run/.containerenv") || existsSync("/run/secrets/kubernetes.io");
}
