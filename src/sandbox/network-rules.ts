/**
 * The firewall of instances, as nftables' own language: one table, named after the bridge, beside whatever else the machine has.
 *
 * Every packet of an instance is routed by the host, also to a neighbour on the same bridge, because the bridge's ports are
 * isolated from each other. So these rules see all of it: an instance speaks only with its own address's block as source; to
 * another instance only within its app (a map from source to the app's chain, and a set of the app's addresses); to the outside
 * only from the lower half of the subnet ("open"), behind the host's own address; and nobody from outside begins to speak to it.
 *
 * Who is refused is told so at once, TCP with resets, because the kernel sends one host only so many ICMP errors. Instances need not
 * know that they are not on one wire: the redirects that a router sends in such a case are dropped. They count among those errors all
 * the same, so neighbours are refused before the packet is routed, where the kernel can (Linux 5.9).
 */
import type { Cidr } from "../config/cidr.ts";
import { addressAt, formatCidr, halves } from "./network-cidr.ts";

export interface RuledNetwork {
  /** Also the table's name. */
  readonly bridge: string;
  /** Whose it is: a chain is named so. */
  readonly owner: string;
  readonly subnet: Cidr;
  /** Absent: no IPv6. */
  readonly subnet6?: Cidr | undefined;
}

/** Where neighbours are refused: "prerouting" as well, before a redirect is sent, or when they are forwarded alone. */
export type RefusalHook = "prerouting" | "forward";

export interface RuledInstance {
  readonly address: string;
  readonly address6?: string | undefined;
}

/** Before connection tracking's and everybody's own (iptables' "raw" is at -300). */
const checkPriority = -310;
/** Behind connection tracking (-200). */
const neighbourPriority = -150;
/** Just before where firewalls usually filter (0): what is refused here need not be looked at there. */
const filterPriority = -10;
const natPriority = 100;

/** A table of that name must not be there yet. */
export function tableScript(network: RuledNetwork, refusesAt: RefusalHook): string {
  const { bridge, owner, subnet } = network;
  const from = `iifname "${bridge}"`;
  const to = `oifname "${bridge}"`;
  const [, internal] = halves(subnet);
  const internal6 = network.subnet6 === undefined ? undefined : halves(network.subnet6)[1];
  const gateway = addressAt(subnet, 1n);
  const gateway6 = network.subnet6 === undefined ? undefined : addressAt(network.subnet6, 1n);
  const refuse = "goto refused";
  return `create table inet ${bridge}
table inet ${bridge} {
  map from4 { type ipv4_addr : verdict; }
  map from6 { type ipv6_addr : verdict; }
  chain ${owner} { }
  chain arriving {
    type filter hook prerouting priority ${checkPriority}; policy accept;
    ${from} goto leaving-instance
    iifname != "lo" ip saddr ${formatCidr(subnet)} drop
    ${network.subnet6 === undefined ? "" : `iifname != "lo" ip6 saddr ${formatCidr(network.subnet6)} drop`}
  }
  chain leaving-instance {
    ip saddr != ${formatCidr(subnet)} drop
    ip saddr ${gateway} drop
    ip daddr 127.0.0.0/8 drop
    ${network.subnet6 === undefined ? "meta nfproto ipv6 drop" : `ip6 saddr != ${formatCidr(network.subnet6)} drop`}
    ${gateway6 === undefined ? "" : `ip6 saddr ${gateway6} drop`}
  }
  ${refusesAt === "forward" ? "" : neighboursChain(network)}
  chain refused {
    meta l4proto tcp reject with tcp reset
    reject with icmpx admin-prohibited
  }
  chain to-host {
    type filter hook input priority ${filterPriority}; policy accept;
    ${from} ip saddr ${formatCidr(internal)} ip daddr != ${gateway} ${refuse}
    ${internal6 === undefined ? "" : `${from} ip6 saddr ${formatCidr(internal6)} ip6 daddr != ${gateway6} ${refuse}`}
  }
  chain through-host {
    type filter hook forward priority ${filterPriority}; policy accept;
    ${from} ${to} goto between-instances
    ${from} ip saddr ${formatCidr(internal)} ${refuse}
    ${internal6 === undefined ? "" : `${from} ip6 saddr ${formatCidr(internal6)} ${refuse}`}
    ${to} ct state != { established, related } drop
  }
  chain between-instances {
    ct state { established, related } accept
    ip saddr vmap @from4
    ip6 saddr vmap @from6
    ${refuse}
  }
  chain from-host {
    type filter hook output priority ${filterPriority}; policy accept;
    ${to} icmp type redirect drop
    ${to} icmpv6 type nd-redirect drop
  }
  chain translated {
    type nat hook postrouting priority ${natPriority}; policy accept;
    oifname != { "lo", "${bridge}" } ip saddr ${formatCidr(halves(subnet)[0])} masquerade
    ${network.subnet6 === undefined ? "" : `oifname != { "lo", "${bridge}" } ip6 saddr ${formatCidr(halves(network.subnet6)[0])} masquerade`}
  }
}
`;
}

/** Decides what comes off the bridge for the bridge's subnet, as it is decided once more when it is forwarded. */
function neighboursChain({ bridge, subnet, subnet6 }: RuledNetwork): string {
  const decided = (family: "ip" | "ip6", cidr: Cidr): string =>
    `iifname "${bridge}" ${family} daddr ${formatCidr(cidr)} ${family} daddr != ${addressAt(cidr, 1n)} goto between-instances`;
  return `chain to-neighbours {
    type filter hook prerouting priority ${neighbourPriority}; policy accept;
    ${decided("ip", subnet)}
    ${subnet6 === undefined ? "" : decided("ip6", subnet6)}
  }`;
}

/** Makes room for an app's instances. Idempotent. */
export function appScript(bridge: string, app: string): string {
  const chain = `app-${app}`;
  return `add chain inet ${bridge} ${chain}
add set inet ${bridge} ${chain}-4 { type ipv4_addr; }
add set inet ${bridge} ${chain}-6 { type ipv6_addr; }
flush chain inet ${bridge} ${chain}
add rule inet ${bridge} ${chain} ip daddr @${chain}-4 accept
add rule inet ${bridge} ${chain} ip6 daddr @${chain}-6 accept
`;
}

/** Lets an instance reach, and be reached by, those of its app. */
export function joinScript(bridge: string, app: string, instance: RuledInstance): string {
  return elements("add", bridge, app, instance, `: jump app-${app}`);
}

/** The opposite. The instance has to be there. */
export function leaveScript(bridge: string, app: string, instance: RuledInstance): string {
  return elements("delete", bridge, app, instance, "");
}

/** Removes what `appScript` made; no instance of the app is left in it. */
export function dropAppScript(bridge: string, app: string): string {
  const chain = `app-${app}`;
  return `flush chain inet ${bridge} ${chain}
delete chain inet ${bridge} ${chain}
delete set inet ${bridge} ${chain}-4
delete set inet ${bridge} ${chain}-6
`;
}

function elements(verb: "add" | "delete", bridge: string, app: string, { address, address6 }: RuledInstance, verdict: string): string {
  const lines = (family: 4 | 6, value: string): string =>
    `${verb} element inet ${bridge} app-${app}-${family} { ${value} }\n${verb} element inet ${bridge} from${family} { ${value} ${verdict} }\n`;
  return lines(4, address) + (address6 === undefined ? "" : lines(6, address6));
}
