/**
 * Firewalls of the machine's own that keep instances from the outside. A packet goes through every firewall there is, and one that
 * drops has the last word: ours cannot let through what another refuses. It has to be told, by whoever looks after it.
 */
import { readFile } from "node:fs/promises";
import { findSystemTool } from "../config/surroundings.ts";
import { CommandFailure, runCommand, toolPath } from "./network-commands.ts";

export interface OtherFirewall {
  /** "the chain FORWARD of the table ip filter drops what no rule of it accepts" */
  readonly problem: string;
  readonly fix: string;
}

export interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Of a base chain. */
  readonly hook?: string;
  readonly policy?: string;
}

/** Those that forward nothing by themselves and have no rule with the bridge's name. Of what cannot be looked at there are none. */
export async function findOtherFirewalls(bridge: string): Promise<OtherFirewall[]> {
  const [modern, old] = await Promise.all([findInNftables(bridge), findInOldIptables(bridge)].map((found) => found.catch(unknown)));
  return [...(modern ?? []), ...(old ?? [])];
}

function unknown(error: unknown): OtherFirewall[] {
  if (error instanceof CommandFailure) return [];
  throw error;
}

async function findInNftables(bridge: string): Promise<OtherFirewall[]> {
  const chains = parseChains(await runCommand([toolPath("nft"), "-j", "list", "chains"]));
  const found: OtherFirewall[] = [];
  for (const chain of refusingChains(chains)) {
    const rules = await runCommand([toolPath("nft"), "list", "table", chain.family, chain.table]).catch(() => "");
    // Some rules are for links by the beginning of their names: "urocket*".
    const known = [...rules.matchAll(/[io]ifname "([^"]+)"/g)].some(([, name = ""]) => covers(name, bridge));
    if (!known) found.push({ problem: words(chain), fix: advice(chain, chains, bridge) });
  }
  return found;
}

/** iptables from before nftables: its tables are not among those of nft. */
async function findInOldIptables(bridge: string): Promise<OtherFirewall[]> {
  const found: OtherFirewall[] = [];
  for (const [tool, tables] of [
    ["iptables-legacy", "/proc/net/ip_tables_names"],
    ["ip6tables-legacy", "/proc/net/ip6_tables_names"],
  ] as const) {
    const path = findSystemTool(tool);
    const names = await readFile(tables, "latin1").catch(() => "");
    if (path === undefined || !names.split("\n").includes("filter")) continue;
    const rules = await runCommand([path, "-S"]);
    const known = [...rules.matchAll(/ -[io] (\S+)/g)].some(([, name = ""]) => covers(name.replace(/\+$/, "*"), bridge));
    if (known || !rules.includes("-P FORWARD DROP")) continue;
    const chain = rules.includes("-N DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
    found.push({
      problem: `the chain FORWARD of ${tool} drops what no rule of it accepts`,
      fix: `${tool} -I ${chain} -i ${bridge} -j ACCEPT; ${tool} -I ${chain} -o ${bridge} -j ACCEPT`,
    });
  }
  return found;
}

/** Of `nft -j list chains`. */
export function parseChains(json: string): Chain[] {
  const listed: unknown = JSON.parse(json);
  if (typeof listed !== "object" || listed === null || !("nftables" in listed) || !Array.isArray(listed.nftables)) return [];
  return (listed.nftables as unknown[]).map(toChain).filter((chain) => chain !== undefined);
}

/** Base chains that forwarded packets pass, and that drop them at their end; firewalld's accept by policy and reject by a last rule. */
export function refusingChains(chains: readonly Chain[]): Chain[] {
  return chains.filter(({ hook, policy, table, family }) => {
    if (hook !== "forward" || !["ip", "ip6", "inet"].includes(family)) return false;
    return policy === "drop" || table === "firewalld";
  });
}

/** What to type so that a firewall of this make lets instances through. */
export function advice({ family, table, name }: Chain, chains: readonly Chain[], bridge: string): string {
  const has = (chain: string): boolean => chains.some((other) => other.family === family && other.table === table && other.name === chain);
  const both = (command: string): string => `${command} -i ${bridge} -j ACCEPT; ${command} -o ${bridge} -j ACCEPT`;
  const tables = family === "ip6" ? "ip6tables" : "iptables";
  if (table === "firewalld") return `firewall-cmd --permanent --zone=trusted --add-interface=${bridge} && firewall-cmd --reload`;
  if (has("ufw-user-forward") || has("ufw6-user-forward"))
    return `ufw route allow in on ${bridge}; ufw route allow out on ${bridge}; ufw allow in on ${bridge}`;
  if (has("DOCKER-USER")) return both(`${tables} -I DOCKER-USER`);
  if (table === "filter" && name === "FORWARD") return both(`${tables} -I FORWARD`);
  const insert = `nft insert rule ${family} ${table} ${name}`;
  return `${insert} iifname ${bridge} accept; ${insert} oifname ${bridge} accept`;
}

function covers(pattern: string, link: string): boolean {
  return pattern.endsWith("*") ? link.startsWith(pattern.slice(0, -1)) : pattern === link;
}

function words({ family, table, name, policy }: Chain): string {
  const end = policy === "drop" ? "drops" : "rejects";
  return `the chain ${name} of the nftables table ${family} ${table} ${end} what no rule of it accepts`;
}

function toChain(entry: unknown): Chain | undefined {
  const chain = typeof entry === "object" && entry !== null && "chain" in entry ? entry.chain : undefined;
  if (typeof chain !== "object" || chain === null) return undefined;
  if (!("family" in chain && "table" in chain && "name" in chain)) return undefined;
  const { family, table, name } = chain;
  if (typeof family !== "string" || typeof table !== "string" || typeof name !== "string") return undefined;
  const hook = "hook" in chain && typeof chain.hook === "string" ? { hook: chain.hook } : {};
  const policy = "policy" in chain && typeof chain.policy === "string" ? { policy: chain.policy } : {};
  return { family, table, name, ...hook, ...policy };
}
