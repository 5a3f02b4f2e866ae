/** What a host, living or dead, has in the kernel beside processes: control groups, mounts, network namespaces, links, rules. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Names of all that carries the number of this host's process. */
export function leftInKernel(pid: number): string[] {
  return [...controlGroups(pid), ...mounts(pid), ...networkNamespaces(pid), ...links(pid)];
}

function controlGroups(pid: number): string[] {
  const root = "/sys/fs/cgroup";
  const hierarchies = [root, ...namesIn(root).map((name) => join(root, name))];
  return hierarchies.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.startsWith(`urocket-${pid}-`))
      .map((name) => join(folder, name)),
  );
}

function mounts(pid: number): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.flatMap((line) => line.split(" ")[4] ?? []).filter((place) => place.includes(`/urocket-${pid}-`));
}

function networkNamespaces(pid: number): string[] {
  return namesIn("/run/netns").filter((name) => name.startsWith(`urocket-${pid}-`));
}

/** Bridges and veth pairs; the bridge's table of rules has its name. */
function links(pid: number): string[] {
  if (Bun.which("ip") === null) return [];
  const { stdout } = Bun.spawnSync(["ip", "-j", "link", "show"]);
  const found = JSON.parse(stdout.toString() || "[]") as readonly { readonly ifname: string; readonly ifalias?: string }[];
  return found.flatMap(({ ifname, ifalias = "" }) => (new RegExp(`\\b${pid}\\b`).test(ifalias) ? [`link ${ifname}`] : []));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
