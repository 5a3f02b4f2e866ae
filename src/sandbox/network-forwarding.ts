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

/** Whether the kernel speaks IPv6 here at all. */
export async function hasIpv6(): Promise<boolean> {
  return (await readSysctl("ipv6/conf/all/disable_ipv6")) === "0";
}

/**
 * Switches forwarding on where it is off.
 * @returns a sentence for everything that was changed, or could not be.
 */
export async function enableForwarding(ipv6: boolean): Promise<string[]> {
  const told = await switchOn("ipv4/ip_forward");
  return ipv6 ? [...told, ...(await enableForwarding6())] : told;
}

/** A router ignores what other routers advertise, unless it is told to listen all the same: else the machine would lose its own way out. */
async function enableForwarding6(): Promise<string[]> {
  if ((await readSysctl("ipv6/conf/all/forwarding")) === "1") return [];
  const links = await readdir(`${sysctls}/ipv6/conf`).catch(() => []);
  for (const link of links) {
    if ((await readSysctl(`ipv6/conf/${link}/accept_ra`)) === "1") await write(`ipv6/conf/${link}/accept_ra`, "2");
  }
  return await switchOn("ipv6/conf/all/forwarding");
}

async function switchOn(path: string): Promise<string[]> {
  if ((await readSysctl(path)) === "1") return [];
  const name = `net.${path.replaceAll("/", ".")}`;
  const problem = await write(path, "1");
  if (problem === undefined)
    return [`${name} was off and is on now, for containers: this machine passes packets on from one network to another`];
  return [
    `${name} is off and cannot be switched on (${problem}): instances in containers reach neither the outside nor each other; run "sysctl -w ${name}=1" where that is allowed`,
  ];
}

async function write(path: string, value: string): Promise<string | undefined> {
  return await writeFile(`${sysctls}/${path}`, value).then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
}
