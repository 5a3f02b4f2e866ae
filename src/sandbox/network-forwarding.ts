/**
 * What the machine has to be for its instances: a router. Linux passes packets on from one link to another only where that is
 * switched on, for the machine as a whole.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { reasonOf } from "../core/system-error.ts";

const sysctls = "/proc/sys/net";

/** "0" → 0; undefined: there is no such sysctl, or it cannot be read. */
export async function readSysctl(path: string): Promise<string | undefined> {
  return await readFile(`${sysctls}/${path}`, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}

/** Whether the kernel speaks IPv6 here, and is meant to on links that are yet to be made. */
export async function hasIpv6(): Promise<boolean> {
  const [all, links] = await Promise.all([readSysctl("ipv6/conf/all/disable_ipv6"), readSysctl("ipv6/conf/default/disable_ipv6")]);
  return all === "0" && links === "0";
}

/**
 * Switches forwarding on where it is off.
 * @returns a sentence for what was changed, and for everything that could not be.
 */
export async function enableForwarding(ipv6: boolean): Promise<string[]> {
  const switches = [await switchOn("ipv4/ip_forward"), ...(ipv6 ? [await switchOn("ipv6/conf/all/forwarding", listenOn)] : [])];
  const changed = switches.filter(({ outcome }) => outcome === "switched").map(({ name }) => name);
  const were = changed.length > 1 ? "were off and are on now" : "was off and is on now";
  return [
    ...(changed.length === 0
      ? []
      : [`${changed.join(" and ")} ${were}, for containers: this machine passes packets on from one network to another`]),
    ...switches.flatMap(({ name, outcome, problem }) => (outcome === "locked" ? [locked(name, problem)] : [])),
  ];
}

function locked(name: string, problem: string): string {
  const loss = name.includes("ipv6") ? "by IPv6 instances in containers reach" : "instances in containers reach";
  return `${name} is off and cannot be switched on (${problem}): ${loss} neither the outside nor each other; run "sysctl -w ${name}=1" where that is allowed`;
}

interface Switch {
  readonly name: string;
  readonly outcome: "on" | "switched" | "locked";
  readonly problem: string;
}

async function switchOn(path: string, before?: () => Promise<void>): Promise<Switch> {
  const name = `net.${path.replaceAll("/", ".")}`;
  if ((await readSysctl(path)) === "1") return { name, outcome: "on", problem: "" };
  await before?.();
  const problem = await write(path, "1");
  return { name, outcome: problem === undefined ? "switched" : "locked", problem: problem ?? "" };
}

/** A router ignores what other routers advertise, unless it is told to listen all the same: else the machine would lose its own way out. */
async function listenOn(): Promise<void> {
  const links = await readdir(`${sysctls}/ipv6/conf`).catch(() => []);
  for (const link of links) {
    if ((await readSysctl(`ipv6/conf/${link}/accept_ra`)) === "1") await write(`ipv6/conf/${link}/accept_ra`, "2");
  }
}

async function write(path: string, value: string): Promise<string | undefined> {
  return await writeFile(`${sysctls}/${path}`, value).then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
}
