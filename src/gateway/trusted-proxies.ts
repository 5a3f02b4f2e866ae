/** Who may say for whom a request comes: addresses and CIDR blocks of the proxies in front. */
import { BlockList, isIP } from "node:net";

/** As many as anybody writes down; each costs a comparison for every connection. */
export const trustedProxiesMax = 1_000;

export type ReadTrustedProxies = { readonly ok: true; readonly proxies: TrustedProxies } | { readonly ok: false; readonly problem: string };

/** @param blocks addresses and CIDR blocks: "10.0.0.0/8", "192.0.2.1", "fd00::/8". */
export function readTrustedProxies(blocks: readonly string[]): ReadTrustedProxies {
  if (blocks.length > trustedProxiesMax) {
    return {
      ok: false,
      problem: `There are ${blocks.length} trusted proxies, and ${trustedProxiesMax} can be: give blocks that hold several`,
    };
  }
  const list = new BlockList();
  for (const block of blocks) {
    const problem = add(list, block);
    if (problem !== undefined) return { ok: false, problem };
  }
  return { ok: true, proxies: new TrustedProxies(list) };
}

export class TrustedProxies {
  readonly #list: BlockList;

  constructor(list: BlockList = new BlockList()) {
    this.#list = list;
  }

  /** @param address IPv4 without the IPv6 mapping, or IPv6; anything else is not trusted. */
  has(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 4 ? "ipv4" : "ipv6");
  }
}

function add(list: BlockList, block: string): string | undefined {
  const [address = "", bits, ...more] = block.split("/");
  const family = isIP(address);
  // A zone names a link of this host, not a peer.
  if (family === 0 || address.includes("%") || more.length > 0) {
    return `The trusted proxy "${block}" is neither an address nor a CIDR block: write one as 10.0.0.0/8, 192.0.2.1 or fd00::/8`;
  }
  const bitsMax = family === 4 ? 32 : 128;
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax)) {
    return `The trusted proxy "${block}" has a prefix length that is none: 0 to ${bitsMax} can be`;
  }
  list.addSubnet(address, bits === undefined ? bitsMax : Number(bits), family === 4 ? "ipv4" : "ipv6");
  return undefined;
}
