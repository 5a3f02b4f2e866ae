/** Checks of the settings that name networks: the bridge of containers and its subnets, and the proxies that are believed. */
import { isIP } from "node:net";
import { type Cidr, cidrs, contains, overlaps, parseCidr } from "./cidr.ts";

export type Checked<Value> =
  | { readonly ok: true; readonly value: Value; readonly warning?: SettingDoubt }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** What is doubtful with a value that can be used. `message` continues "it …". */
export interface SettingDoubt {
  readonly message: string;
  readonly hint: string;
}

/** With exactly these the first that is free of each and its followers is taken: urocket1, 10.202.0.0/16. */
export const networkDefaults = { bridge: "urocket0", subnet: "10.201.0.0/16", subnet6: "fd75:726f:636b:c9::/64" } as const;

/** Names of interfaces have 15 bytes at the most (IFNAMSIZ); the nftables table has the same name, and starts with a letter. */
export function toBridge(text: string): Checked<string> {
  if (/^[A-Za-z][A-Za-z0-9_-]{0,14}$/.test(text)) return { ok: true, value: text };
  return {
    ok: false,
    message: "it is not a name of a bridge",
    hint: `Write up to 15 letters, digits, - and _ that start with a letter, such as ${networkDefaults.bridge}`,
  };
}

interface SubnetRules {
  readonly version: 4 | 6;
  readonly prefixMin: number;
  readonly prefixMax: number;
  readonly example: string;
  /** Whose addresses nobody else has. */
  readonly own: readonly Cidr[];
  /** Where no network can be: the machine itself, neighbours without a router, groups. */
  readonly barred: readonly Cidr[];
}

const subnetRules: SubnetRules = {
  version: 4,
  prefixMin: 8,
  prefixMax: 24,
  example: networkDefaults.subnet,
  // RFC 1918, RFC 6598.
  own: cidrs("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
  barred: cidrs("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
};

const subnet6Rules: SubnetRules = {
  version: 6,
  prefixMin: 48,
  prefixMax: 112,
  example: networkDefaults.subnet6,
  // RFC 4193.
  own: cidrs("fc00::/7"),
  barred: cidrs("::/16", "fe80::/10", "ff00::/8"),
};

export const toSubnet = (text: string): Checked<string> => checkSubnet(text, subnetRules);
export const toSubnet6 = (text: string): Checked<string> => checkSubnet(text, subnet6Rules);

function checkSubnet(text: string, { version, prefixMin, prefixMax, example, own, barred }: SubnetRules): Checked<string> {
  const hint = `Write a private subnet of IPv${version} such as ${example}`;
  const parsed = parseCidr(text);
  if (!parsed.ok) return { ok: false, message: `it ${parsed.message}`, hint: parsed.meant === undefined ? hint : `Write ${parsed.meant}` };
  const { cidr } = parsed;
  if (cidr.version !== version) return { ok: false, message: `it is not of IPv${version}`, hint };
  if (cidr.prefix < prefixMin || cidr.prefix > prefixMax)
    return { ok: false, message: `its size is not from /${prefixMin} to /${prefixMax}`, hint };
  if (barred.some((block) => overlaps(block, cidr))) return { ok: false, message: "no network can have these addresses", hint };
  if (own.some((block) => contains(block, cidr))) return { ok: true, value: text };
  const warning = { message: "it is not private: what these addresses are elsewhere is not reached from here", hint };
  return { ok: true, value: text, warning };
}

/** Addresses and blocks, separated by commas. */
export function toTrustedProxies(text: string): Checked<readonly string[]> {
  const value = text.split(",").flatMap((part) => part.trim() || []);
  for (const proxy of value) {
    if (isIP(proxy) !== 0 && !proxy.includes("%")) continue;
    const parsed = parseCidr(proxy);
    if (parsed.ok) continue;
    const name = JSON.stringify(proxy);
    if (parsed.meant !== undefined) return { ok: false, message: `${name} ${parsed.message}`, hint: `Write ${parsed.meant}` };
    return {
      ok: false,
      message: `${name} is neither an address nor a block of addresses`,
      hint: "Write addresses and blocks, separated by commas, such as 127.0.0.1,10.0.0.0/8",
    };
  }
  const anybody = value.find((proxy) => proxy.endsWith("/0"));
  if (anybody === undefined) return { ok: true, value };
  const warning = {
    message: `with ${anybody} every client may say from where it comes, and by which name and protocol it asks`,
    hint: "Name the proxies in front of this host alone",
  };
  return { ok: true, value, warning };
}
