/**
 * The processes of a urocket host: those that descend from it, and those in its containers, which do not. A container's control groups
 * are named after the host's process, and so is each group of an instance in a process sandbox.
 */
import { readdirSync, readFileSync } from "node:fs";
import { processTree, readProcesses, type ProcessStat } from "./proc-stat.ts";

/** The instance of which a process is a part, by the text of /proc/PID/cgroup. */
export function instanceIn(cgroups: string, host: number): string | undefined {
  return new RegExp(`/(urocket-${host}-\\d+-[0-9a-f-]+)(/|$)`, "m").exec(cgroups)?.[1];
}

/** Pids of the processes of each instance, by the name of its control group. */
export function instancesOf(host: number): ReadonlyMap<string, readonly number[]> {
  const instances = new Map<string, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const instance = instanceIn(read(`/proc/${name}/cgroup`), host);
    if (instance !== undefined) instances.set(instance, [...(instances.get(instance) ?? []), Number(name)]);
  }
  return instances;
}

/** All of them: the host, its runners and what these started. */
export function hostProcesses(host: number): readonly ProcessStat[] {
  const inGroups = [...instancesOf(host).values()].flat();
  const tree = processTree([host]);
  const known = new Set(tree.map(({ pid }) => pid));
  return [...tree, ...readProcesses(inGroups.filter((pid) => !known.has(pid)))];
}

/** Arguments of a process; none when it has ended. */
export function argumentsOf(pid: number): readonly string[] {
  return read(`/proc/${pid}/cmdline`).split("\0");
}

/**
 * CPU time that an instance's control group has counted, in µs, with that of processes that ended; undefined when the group is gone.
 *
 * @param pid one of its processes.
 */
export function groupCpuUs(pid: number): number | undefined {
  const groups = read(`/proc/${pid}/cgroup`).trim().split("\n");
  for (const [, controllers = "", path = ""] of groups.map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])) {
    if (!path.includes("/urocket-")) continue;
    const nanoseconds = controllers.split(",").includes("cpuacct") ? read(`/sys/fs/cgroup/${controllers}${path}/cpuacct.usage`) : "";
    const microseconds = controllers === "" ? /usage_usec (\d+)/.exec(read(`/sys/fs/cgroup${path}/cpu.stat`))?.[1] : undefined;
    if (nanoseconds !== "") return Number(nanoseconds) / 1_000;
    if (microseconds !== undefined) return Number(microseconds);
  }
  return undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // it ended meanwhile
  }
}
