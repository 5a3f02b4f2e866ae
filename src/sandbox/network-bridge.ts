/**
 * The bridge of a host: a switch in the kernel, that has the first address of a private subnet and is the gateway of all that is
 * plugged into it. Its name and its subnet are the first that nobody on this machine has.
 */
import { type Cidr, cidrs, overlaps, parseCidr } from "../config/cidr.ts";
import { networkDefaults } from "../config/network-settings.ts";
import { CommandFailure, listIp, runIp, tryIp } from "./network-commands.ts";
import { addressAt, following, formatCidr, macOf, toCidr } from "./network-cidr.ts";
import { SandboxFailure } from "./sandbox-failure.ts";

const namesMax = 64;
const followersMax = 10;
const roundsMax = 20;
const backOffMsMax = 50;
const multicast = cidrs("224.0.0.0/4", "ff00::/8");

/** The first of each that is free. */
export interface SubnetsWanted {
  readonly subnets: readonly Cidr[];
  /** Empty: no IPv6. */
  readonly subnets6: readonly Cidr[];
}

export interface Bridge {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly subnet: Cidr;
  readonly gateway: string;
  /** Absent: no IPv6 here. */
  readonly subnet6?: Cidr;
  readonly gateway6?: string;
}

/** A route of this machine, as far as it says who has which addresses. */
export interface Route {
  readonly to: Cidr;
  readonly device: string;
}

/** A bridge's candidates: itself where it was chosen by somebody, whose firewall may name it; of the default also "urocket1", "urocket2", …. */
export function bridgeNames(stated: string): string[] {
  if (stated !== networkDefaults.bridge) return [stated];
  const stem = stated.replace(/\d+$/, "");
  return Array.from({ length: namesMax }, (_, number) => `${stem}${number}`);
}

/** A subnet's candidates: itself where it was chosen by somebody; of the default also its followers and other private ones. */
export function candidates(stated: string, standard: string, others: readonly string[]): Cidr[] {
  const first = toCidr(stated);
  if (stated !== standard) return [first];
  const followers = [first];
  for (let last = first; followers.length < followersMax; followers.push(last)) last = following(last);
  return [...followers, ...cidrs(...others)];
}

/**
 * The first candidate that no route of somebody else's leads to. Where all are within wider ones (a VPN that claims every private
 * address, say) the first that is none's own: it is narrower, so it wins.
 */
export function freeSubnet(wanted: readonly Cidr[], routes: readonly Route[]): Cidr | undefined {
  const untouched = wanted.find((block) => !routes.some(({ to }) => overlaps(block, to)));
  return untouched ?? wanted.find((block) => holderOf(block, routes) === undefined);
}

/** Whose a subnet, or a part of it, is already. */
export function holderOf(block: Cidr, routes: readonly Route[]): Route | undefined {
  return routes.find(({ to }) => overlaps(block, to) && to.prefix >= block.prefix);
}

/** @throws SandboxFailure, CommandFailure (`isTaken` where the name is); then nothing of it is left. */
export async function makeBridge(name: string, wanted: SubnetsWanted, owner: string): Promise<Bridge> {
  await runIp([`link add ${name} type bridge mcast_snooping 0`]);
  try {
    await runIp([`link set ${name} alias ${owner} addrgenmode none`]);
    const subnet = await claim(name, wanted.subnets);
    const mac = macOf(addressAt(subnet, 1n));
    await runIp([`link set ${name} address ${mac} up`]);
    const subnet6 = wanted.subnets6.length === 0 ? undefined : await claim(name, wanted.subnets6);
    const addresses6 = subnet6 === undefined ? {} : { subnet6, gateway6: addressAt(subnet6, 1n) };
    return { name, index: await indexOf(name), mac, subnet, gateway: addressAt(subnet, 1n), ...addresses6 };
  } catch (error) {
    await removeBridge(name);
    throw error;
  }
}

/** Never rejects. */
export async function removeBridge(name: string): Promise<void> {
  await tryIp([`link del ${name}`]);
}

/** What somebody else made first. */
export function isTaken(error: unknown): boolean {
  return error instanceof CommandFailure && error.message.includes("File exists");
}

/**
 * Gives the bridge a subnet's first address. Two hosts that start at once may both see it free: whoever sees another's
 * then gives it back, waits for a random time and looks again.
 */
async function claim(bridge: string, wanted: readonly Cidr[]): Promise<Cidr> {
  for (let round = 0; ; round++) {
    const routes = await othersRoutes(bridge, wanted[0]?.version ?? 4);
    const subnet = freeSubnet(wanted, routes);
    if (subnet === undefined || round === roundsMax) throw inUse(wanted, routes);
    const address = `${addressAt(subnet, 1n)}/${subnet.prefix} dev ${bridge}`;
    await runIp([`addr add ${address}${subnet.version === 6 ? " nodad" : ""}`]);
    if (holderOf(subnet, await othersRoutes(bridge, subnet.version)) === undefined) return subnet;
    await runIp([`addr del ${address}`]);
    await Bun.sleep(Math.random() * backOffMsMax);
  }
}

function inUse(wanted: readonly Cidr[], routes: readonly Route[]): SandboxFailure {
  const [first] = wanted;
  const holder = wanted.map((block) => holderOf(block, routes)).find((route) => route !== undefined);
  const name = first === undefined ? "" : formatCidr(first);
  const others = wanted.length > 1 ? ` and ${wanted.length - 1} others are` : " is";
  const flag = first?.version === 6 ? "subnet6" : "subnet";
  return new SandboxFailure(
    `Cannot use the subnet ${name} for containers: it${others} in use${holder === undefined ? "" : `: ${formatCidr(holder.to)} is ${holder.device}'s`}`,
    `Choose a private one that no route leads to ("ip route show table all" lists them), by --${flag}`,
  );
}

/** The number that the kernel gave it. @throws CommandFailure when there is none of that name. */
export async function indexOf(bridge: string): Promise<number> {
  for (const link of await listIp("link", "show", bridge)) {
    if (typeof link === "object" && link !== null && "ifindex" in link && typeof link.ifindex === "number") return link.ifindex;
  }
  throw new CommandFailure(`The bridge ${bridge} is gone`);
}

async function othersRoutes(bridge: string, version: 4 | 6): Promise<Route[]> {
  const routes = toRoutes(await listIp(`-${version}`, "route", "show", "table", "all"));
  return routes.filter(({ device }) => device !== bridge);
}

/** Of what `ip -j route` lists: those that lead somewhere; defaults and multicast say nothing of whose an address is. */
export function toRoutes(list: readonly unknown[]): Route[] {
  const routes: Route[] = [];
  for (const entry of list) {
    if (typeof entry !== "object" || entry === null || !("dst" in entry) || typeof entry.dst !== "string") continue;
    const to = parseCidr(entry.dst.includes("/") ? entry.dst : `${entry.dst}/${entry.dst.includes(":") ? 128 : 32}`);
    const device = "dev" in entry && typeof entry.dev === "string" ? entry.dev : undefined;
    if (!to.ok || device === undefined || to.cidr.prefix === 0 || multicast.some((groups) => overlaps(groups, to.cidr))) continue;
    routes.push({ to: to.cidr, device });
  }
  return routes;
}
