/**
 * Whether containers can be connected on this machine, for `urocket doctor`. What the kernel can do is tried out in a network
 * namespace that ends with the trial: nothing of the machine's is touched.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { networkDefaults } from "../config/network-settings.ts";
import { reasonOf } from "../core/system-error.ts";
import type { Finding } from "./finding.ts";
import { addressAt, toCidr } from "./network-cidr.ts";
import { CommandFailure, missingNetworkTools, networkTools, type NetworkTool, runCommand, toolPath } from "./network-commands.ts";
import { hasIpv6, readSysctl } from "./network-forwarding.ts";
import { resolvingFor } from "./network-names.ts";
import { findOtherFirewalls } from "./network-other-firewalls.ts";
import { ownerMark } from "./group-names.ts";
import { tableScript } from "./network-rules.ts";

/** Bits of a capability set (linux/capability.h). */
const capabilities = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n } as const;

/** What was found, in the order in which one would mend it. */
export async function examineNetwork(): Promise<Finding[]> {
  const tools = examineTools();
  const permission = examinePermission();
  if (tools.state !== "ok" || permission.state !== "ok") return [tools, permission];
  const ipv6 = await hasIpv6();
  const [bridge, rules, forwarding, firewalls, names] = await Promise.all([
    tryBridge(),
    tryRules(ipv6),
    examineForwarding(ipv6),
    examineFirewalls(),
    examineNames(ipv6),
  ]);
  return [tools, permission, bridge, rules, ...forwarding, ...firewalls, names];
}

function examineTools(): Finding {
  const what = "network tools";
  const missing = missingNetworkTools();
  if (missing === undefined) {
    return { what, state: "ok", detail: (Object.keys(networkTools) as NetworkTool[]).map(toolPath).join(", ") };
  }
  return {
    what,
    state: "missing",
    detail: `${missing.names} cannot be found: containers have no network, unless with "network: none"`,
    fix: missing.command,
  };
}

function examinePermission(): Finding {
  const what = "network permission";
  const held = effectiveCapabilities();
  const lacking = Object.entries(capabilities).filter(([, bit]) => ((held >> bit) & 1n) === 0n);
  if (lacking.length === 0) return { what, state: "ok", detail: Object.keys(capabilities).join(", ") };
  const names = lacking.map(([name]) => name).join(" and ");
  if (process.getuid?.() !== 0) {
    return {
      what,
      state: "limited",
      detail: "without root there is no bridge: instances in containers reach nothing but themselves, and are reached over their links",
      fix: "Run the host as root for containers with a network",
    };
  }
  return {
    what,
    state: "missing",
    detail: `root lacks ${names}: no bridge can be made`,
    fix: `Give the host ${names} (a container of Docker or Podman: --privileged; a systemd unit: CapabilityBoundingSet=)`,
  };
}

function effectiveCapabilities(): bigint {
  const set = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return BigInt(`0x${set ?? "0"}`);
}

async function tryBridge(): Promise<Finding> {
  const what = "bridge";
  const lines = [
    "link add try0 type bridge",
    "link add try1 type veth peer name try2",
    "link set try1 master try0",
    "link set try1 type bridge_slave isolated on",
  ];
  const failure = await tried([toolPath("ip"), "-batch", "-"], `${lines.join("\n")}\n`);
  if (failure === undefined) return { what, state: "ok", detail: "bridges, veth pairs and isolated ports can be made" };
  return {
    what,
    state: "missing",
    detail: `the kernel makes no bridge with isolated ports here: ${failure}`,
    fix: `Load its modules on the machine itself: modprobe -a bridge veth; isolated ports need Linux 4.18`,
  };
}

async function tryRules(ipv6: boolean): Promise<Finding> {
  const what = "nftables";
  const subnet6 = ipv6 ? toCidr(networkDefaults.subnet6) : undefined;
  const network = { bridge: networkDefaults.bridge, owner: ownerMark(), subnet: toCidr(networkDefaults.subnet), subnet6 };
  const failure = await tried([toolPath("nft"), "-f", "-"], tableScript(network, "forward"));
  if (failure === undefined) return { what, state: "ok", detail: "rules that keep apps apart, and address translation, are understood" };
  return {
    what,
    state: "missing",
    detail: `the kernel takes no rules of ours: ${failure}`,
    fix: "Load its modules on the machine itself: modprobe -a nf_tables nft_ct nft_nat nft_masq nft_reject_inet",
  };
}

/** Runs a command in a namespace of its own. @returns why it failed; undefined: it did not. */
async function tried(argv: readonly string[], stdin: string): Promise<string | undefined> {
  try {
    await runCommand([toolPath("unshare"), "--net", "--", ...argv], stdin);
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailure) return error.message.replace(/\s+/g, " ");
    throw error;
  }
}

async function examineForwarding(ipv6: boolean): Promise<Finding[]> {
  const found = [await examineSwitch("ipv4/ip_forward", "forwarding", "instances reach neither the outside nor each other")];
  if (!ipv6) {
    const detail = "it is off on this machine: instances have IPv4 alone";
    return [
      ...found,
      { what: "IPv6", state: "limited", detail, fix: "sysctl -w net.ipv6.conf.all.disable_ipv6=0, if they are to have it" },
    ];
  }
  return [...found, await examineSwitch("ipv6/conf/all/forwarding", "IPv6", "instances reach neither the outside nor each other by IPv6")];
}

async function examineSwitch(path: string, what: string, loss: string): Promise<Finding> {
  const name = `net.${path.replaceAll("/", ".")}`;
  if ((await readSysctl(path)) === "1") return { what, state: "ok", detail: `${name} is on` };
  const locked = whyNotWritable(`/proc/sys/net/${path}`);
  if (locked === undefined) return { what, state: "ok", detail: `${name} is off; a host with containers switches it on` };
  return {
    what,
    state: "limited",
    detail: `${name} is off and cannot be switched on from here (${locked}): ${loss}, and ports below 1024 cannot be listened on inside`,
    fix: `sysctl -w ${name}=1, by root of the machine itself, where /proc/sys is writable`,
  };
}

function whyNotWritable(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

async function examineFirewalls(): Promise<Finding[]> {
  const what = "firewall";
  const found = await findOtherFirewalls(networkDefaults.bridge);
  if (found.length === 0) return [{ what, state: "ok", detail: "none of the machine's own stands between instances and the outside" }];
  return found.map(({ problem, fix }) => ({
    what,
    state: "limited",
    detail: `${problem}: instances may not reach the outside, nor each other`,
    fix,
  }));
}

async function examineNames(ipv6: boolean): Promise<Finding> {
  const what = "name resolution";
  const gateway = addressAt(toCidr(networkDefaults.subnet), 1n);
  const { lines, problem } = await resolvingFor({ mode: "open", gateway, ipv6 });
  const servers = [...lines.matchAll(/^nameserver (.*)$/gm)].map((match) => match[1]).join(", ");
  if (problem === undefined) return { what, state: "ok", detail: `instances ask ${servers}` };
  const [detail = problem, fix = "Name a server of your network in /etc/resolv.conf"] = problem.split("; ", 2);
  return { what, state: "limited", detail, fix };
}
