/**
 * The network namespace of an instance, wired up: a veth pair whose one end is its "eth0" and whose other is plugged into the
 * bridge. Made from outside and ahead, in the machine's own user namespace: nothing inside may change it.
 *
 * The address is alone on its wire (/32): everything else is behind the gateway, the neighbours too. Both sides are told each other's
 * Ethernet addresses, so that nobody asks for them aloud and nobody can answer for another.
 */
import type { Bridge } from "./network-bridge.ts";
import { runCommand, toolPath, tryIp } from "./network-commands.ts";

/** Where `ip netns` keeps the names of namespaces. */
export const namespaceFolder = "/run/netns";

export interface Wired {
  /** The host's end of the pair, at most 15 characters. */
  readonly link: string;
  readonly mac: string;
  readonly address: string;
  readonly address6?: string | undefined;
}

export interface Namespace {
  /** As `ip netns list` has it; carries its host's mark. */
  readonly name: string;
  /** Absent: nothing but a loopback. */
  readonly wired?: Wired | undefined;
}

/** Of a namespace, each as path below /proc/sys/net and value. Ports below 1024 and ping need no privilege inside. */
const sysctls = [
  ["ipv4/ip_unprivileged_port_start", "0"],
  ["ipv4/ping_group_range", "0 2147483647"],
  ["ipv4/conf/all/accept_redirects", "0"],
  ["ipv4/conf/default/accept_redirects", "0"],
  ["ipv6/conf/all/accept_redirects", "0"],
  ["ipv6/conf/default/accept_redirects", "0"],
  ["ipv6/conf/all/accept_ra", "0"],
  ["ipv6/conf/default/accept_ra", "0"],
] as const;
const eth0Sysctls = ["ipv4/conf/eth0/accept_redirects", "ipv6/conf/eth0/accept_redirects", "ipv6/conf/eth0/accept_ra"] as const;

export function pathOf({ name }: Namespace): string {
  return `${namespaceFolder}/${name}`;
}

/** Makes all of them by one shell. @throws CommandFailure, and none of them is left. */
export async function makeNamespaces(bridge: Bridge, namespaces: readonly Namespace[]): Promise<void> {
  try {
    await runCommand(["/bin/sh", "-c", makingScript(bridge, namespaces)]);
  } catch (error) {
    await tryIp(
      namespaces
        .map(({ wired }) => wired?.link)
        .filter((link) => link !== undefined)
        .map((link) => `link del ${link}`),
    );
    await removeNamespaces(bridge, namespaces);
    throw error;
  }
}

/** What is not there is no failure. The kernel takes the wires down with the namespaces, at its own pace. */
export async function removeNamespaces(bridge: Bridge, namespaces: readonly Namespace[]): Promise<void> {
  await tryIp(
    namespaces.flatMap(({ name, wired }) => {
      const neighbours = [wired?.address, wired?.address6].filter((address) => address !== undefined);
      return [`netns del ${name}`, ...neighbours.map((address) => `neigh del ${address} dev ${bridge.name}`)];
    }),
  );
}

function makingScript(bridge: Bridge, namespaces: readonly Namespace[]): string {
  const ip = toolPath("ip");
  const outer = namespaces.flatMap((namespace) => outerLines(bridge, namespace));
  const inner = namespaces.map(
    (namespace) =>
      `${toolPath("nsenter")} --net=${pathOf(namespace)} /bin/sh -c '${sysctlScript(namespace)}${ruleScript(namespace)}exec ${ip} -batch -' <<END\n${innerLines(bridge, namespace).join("\n")}\nEND\n`,
  );
  return `set -e\n${ip} -batch - <<END\n${outer.join("\n")}\nEND\n${inner.join("")}`;
}

/** On the host's side. A port is isolated before it is up. */
function outerLines(bridge: Bridge, { name, wired }: Namespace): string[] {
  if (wired === undefined) return [`netns add ${name}`];
  const { link, mac } = wired;
  return [
    `netns add ${name}`,
    `link add ${link} type veth peer name eth0 address ${mac} netns ${name}`,
    `link set ${link} alias ${name} addrgenmode none`,
    ...plugLines(bridge, wired),
    `link set ${link} up`,
    ...outerAddressLines(bridge, wired),
  ];
}

/** Into the bridge. */
export function plugLines(bridge: Bridge, { link }: Wired): string[] {
  return [`link set ${link} master ${bridge.name}`, `link set ${link} type bridge_slave isolated on`];
}

/** Where the host finds its addresses. */
export function outerAddressLines(bridge: Bridge, { mac, address, address6 }: Wired): string[] {
  return [address, address6]
    .filter((one) => one !== undefined)
    .map((one) => `neigh replace ${one} lladdr ${mac} dev ${bridge.name} nud permanent`);
}

/** On the instance's side. */
function innerLines(bridge: Bridge, { wired }: Namespace): string[] {
  if (wired === undefined) return ["link set lo up"];
  const toGateway = (gateway: string, all: string): string[] => [
    `neigh replace ${gateway} lladdr ${bridge.mac} dev eth0 nud permanent`,
    `route add ${gateway} dev eth0`,
    `route add ${all} via ${gateway}`,
  ];
  const { address, address6 } = wired;
  const { gateway6 } = bridge;
  return [
    "link set lo up",
    // Two requests: of one that does both the kernel switches the link on first, and may give it an address of its own by then.
    "link set eth0 addrgenmode none",
    "link set eth0 up",
    `addr add ${address}/32 dev eth0`,
    ...toGateway(bridge.gateway, "0.0.0.0/0"),
    ...(address6 === undefined || gateway6 === undefined
      ? []
      : [`addr add ${address6}/128 dev eth0 nodad`, ...toGateway(gateway6, "::/0")]),
  ];
}

/**
 * What is sent by IPv6 has the instance's own address as source. With IPV6_FREEBIND, which needs no privilege, a socket is bound to any
 * address (ipv6(7)), and unlike IPv4 the kernel then sends from it. Routes that ask who sends refuse that; who states no source is given
 * the right one.
 */
function ruleScript({ wired }: Namespace): string {
  if (wired?.address6 === undefined) return "";
  const rules = [
    `from ${wired.address6} lookup main priority 100`,
    "from ::/1 prohibit priority 101",
    "from 8000::/1 prohibit priority 102",
  ];
  return `printf "${rules.map((rule) => `rule add ${rule}\\n`).join("")}" | ${toolPath("ip")} -6 -batch - || exit; `;
}

/** What of it the kernel refuses (a locked /proc/sys) is left as it is: that is told once, by what looks at the machine. */
function sysctlScript({ wired }: Namespace): string {
  // A machine may have it that new namespaces begin without IPv6.
  const ipv6 = wired?.address6 === undefined ? [] : [["ipv6/conf/all/disable_ipv6", "0"] as const];
  const settings = [...sysctls, ...ipv6, ...(wired === undefined ? [] : eth0Sysctls.map((path) => [path, "0"] as const))];
  return settings.map(([path, value]) => `{ echo "${value}" >/proc/sys/net/${path}; } 2>/dev/null; `).join("");
}
