/**
 * What hosts left in the kernel's network that ended without closing theirs: namespaces, bridges with the wires in them, and
 * tables of rules. All of it carries its host's mark; only what is of a host that is no more is touched.
 */
import { readdir } from "node:fs/promises";
import { CommandFailure, listIp, runCommand, toolPath, tryIp } from "./network-commands.ts";
import { namespaceFolder } from "./network-namespace.ts";
import { isAbandoned } from "./group-names.ts";

type Leftover =
  | { readonly kind: "network namespace"; readonly name: string }
  | { readonly kind: "link" | "bridge"; readonly name: string }
  | { readonly kind: "nftables table"; readonly name: string };

/** What there is, in words: "bridge urocket0". Nothing where the tools are missing that could have made it. */
export async function describeNetworkLeftovers(): Promise<string[]> {
  return (await findLeftovers()).map(describe);
}

/**
 * Removes it. To be called when the containers of dead hosts have been ended: a namespace lives on as long as a process in it.
 * @returns what was removed, in words. Never rejects.
 */
export async function sweepNetworks(): Promise<string[]> {
  const found = await findLeftovers();
  const names = (kind: Leftover["kind"]): string[] => found.filter((one) => one.kind === kind).map(({ name }) => name);
  const tables = names("nftables table").map((name) => runCommand([toolPath("nft"), "delete", "table", "inet", name]).catch(() => ""));
  await Promise.all(tables);
  const lines = [
    ...names("link").map((name) => `link del ${name}`),
    ...names("bridge").map((name) => `link del ${name}`),
    ...names("network namespace").map((name) => `netns del ${name}`),
  ];
  if (lines.length > 0) await tryIp(lines);
  return found.map(describe);
}

function describe({ kind, name }: Leftover): string {
  return `${kind} ${name}`;
}

async function findLeftovers(): Promise<Leftover[]> {
  const [namespaces, links, tables] = await Promise.all([leftNamespaces(), leftLinks(), leftTables()].map((found) => found.catch(none)));
  return [...(namespaces ?? []), ...(links ?? []), ...(tables ?? [])];
}

function none(error: unknown): Leftover[] {
  if (error instanceof CommandFailure) return [];
  throw error;
}

async function leftNamespaces(): Promise<Leftover[]> {
  const names = await readdir(namespaceFolder).catch(() => []);
  return names.filter(isAbandoned).map((name) => ({ kind: "network namespace", name }));
}

async function leftLinks(): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const link of await listIp("-d", "link", "show")) {
    if (typeof link !== "object" || link === null || !("ifname" in link) || !("ifalias" in link)) continue;
    const { ifname, ifalias } = link;
    if (typeof ifname !== "string" || typeof ifalias !== "string" || !isAbandoned(ifalias)) continue;
    found.push({ kind: isBridge(link) ? "bridge" : "link", name: ifname });
  }
  return found;
}

function isBridge(link: object): boolean {
  const info = "linkinfo" in link ? link.linkinfo : undefined;
  return typeof info === "object" && info !== null && "info_kind" in info && info.info_kind === "bridge";
}

/** A table of ours holds a chain that is named after its host. */
async function leftTables(): Promise<Leftover[]> {
  const text = await runCommand([toolPath("nft"), "-j", "list", "chains", "inet"]);
  const listed: unknown = JSON.parse(text);
  if (typeof listed !== "object" || listed === null || !("nftables" in listed) || !Array.isArray(listed.nftables)) return [];
  return (listed.nftables as unknown[])
    .map(markedTable)
    .filter((name) => name !== undefined)
    .map((name) => ({ kind: "nftables table", name }));
}

function markedTable(entry: unknown): string | undefined {
  const chain = typeof entry === "object" && entry !== null && "chain" in entry ? entry.chain : undefined;
  if (typeof chain !== "object" || chain === null || !("name" in chain) || !("table" in chain)) return undefined;
  const { name, table } = chain;
  return typeof name === "string" && typeof table === "string" && isAbandoned(name) ? table : undefined;
}
