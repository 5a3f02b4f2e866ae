/**
 * The bridge after somebody took it away, or its address: an administrator, or a network manager that takes everything for its own. As
 * long as the host runs it is brought back, with all instances plugged in again: they cannot be reached without it.
 */
import { readFileSync } from "node:fs";
import { type Bridge, indexOf } from "./network-bridge.ts";
import { runIp, tryIp } from "./network-commands.ts";
import { outerAddressLines, plugLines, type Wired } from "./network-namespace.ts";
import { linkNames } from "./network-usage.ts";

/** How long the bridge may be missing, in ms. */
export const bridgeLookEveryMs = 10_000;

/** Whether it is there, up, and has its addresses: with each comes a route or an entry of its own (proc_pid_net(5)). */
export function isBridgeWhole({ name, gateway6 }: Bridge): boolean {
  const routed = linesOf("/proc/net/route").some((line) => line.startsWith(`${name}\t`));
  return routed && (gateway6 === undefined || linesOf("/proc/net/if_inet6").some((line) => line.endsWith(` ${name}`)));
}

function linesOf(file: string): string[] {
  return readFileSync(file, "latin1")
    .split("\n")
    .map((line) => line.trimEnd());
}

/**
 * Brings it back. @returns what has happened, as a sentence.
 * @throws CommandFailure
 */
export async function repairBridge(bridge: Bridge, owner: string, wired: readonly Wired[]): Promise<string> {
  const { name } = bridge;
  const isThere = linkNames().has(name);
  if (isThere && (await indexOf(name)) !== bridge.index)
    return `The bridge ${name} is gone and somebody made another one of that name: instances in containers are not reached until this host is started again`;
  if (!isThere)
    await runIp([
      `link add ${name} index ${bridge.index} type bridge mcast_snooping 0`,
      `link set ${name} alias ${owner} addrgenmode none`,
    ]);
  await runIp([`link set ${name} address ${bridge.mac} up`, ...addressLines(bridge)]);
  // One whose instance ends meanwhile is gone.
  await tryIp(wired.flatMap((one) => [...plugLines(bridge, one), ...outerAddressLines(bridge, one)]));
  return isThere
    ? `Somebody took its addresses from the bridge ${name}: they were given back to it`
    : `Somebody removed the bridge ${name}: it was made anew, and ${wired.length} instances plugged into it`;
}

function addressLines({ name, gateway, gateway6, subnet, subnet6 }: Bridge): string[] {
  return [
    `addr replace ${gateway}/${subnet.prefix} dev ${name}`,
    ...(gateway6 === undefined || subnet6 === undefined ? [] : [`addr replace ${gateway6}/${subnet6.prefix} dev ${name} nodad`]),
  ];
}
