/**
 * Blocks of IP addresses, as numbers: what of them overlaps, and which addresses instances take. The lower half of a network's
 * block is for instances of "open" apps and the upper for "internal" ones, so that firewall rules need not know who is who.
 */
import { isIP, isIPv4 } from "node:net";

export interface Cidr {
  readonly family: 4 | 6;
  /** The first address. */
  readonly first: bigint;
  /** 0-32, or 0-128. */
  readonly prefix: number;
}

const bits = { 4: 32, 6: 128 } as const;

/** "10.201.0.0/16", or an address alone, which is a block of one. Undefined: it is none. Bits behind the prefix are cut off. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = "", prefixText, ...rest] = text.split("/");
  const family = isIP(address);
  if ((family !== 4 && family !== 6) || rest.length > 0 || address.includes("%")) return undefined;
  const prefix = prefixText === undefined ? bits[family] : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  if (!(prefix <= bits[family])) return undefined;
  const size = 1n << BigInt(bits[family] - prefix);
  const value = toNumber(address);
  return { family, first: value - (value % size), prefix };
}

export function formatCidr(block: Cidr): string {
  return `${addressAt(block, 0n)}/${block.prefix}`;
}

/** How many addresses it has. */
export function sizeOf({ family, prefix }: Cidr): bigint {
  return 1n << BigInt(bits[family] - prefix);
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  return one.family === other.family && one.first < other.first + sizeOf(other) && other.first < one.first + sizeOf(one);
}

export function contains(block: Cidr, address: string): boolean {
  const single = parseCidr(address);
  return (
    single !== undefined && single.family === block.family && single.first - block.first >= 0n && single.first - block.first < sizeOf(block)
  );
}

export function halves({ family, first, prefix }: Cidr): readonly [lower: Cidr, upper: Cidr] {
  const lower: Cidr = { family, first, prefix: prefix + 1 };
  return [lower, { ...lower, first: first + sizeOf(lower) }];
}

/** The block of the same size that follows. */
export function following(block: Cidr): Cidr {
  return { ...block, first: block.first + sizeOf(block) };
}

/** The nth address of a block; the 0th is its first. */
export function addressAt({ family, first }: Cidr, nth: bigint): string {
  const value = first + nth;
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16));
  return shorten(groups);
}

/** A locally administered Ethernet address that an IPv4 address determines: nobody has to ask for it. */
export function macOf(address4: string): string {
  const octets = address4.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return ["02", "75", ...octets].join(":");
}

function toNumber(address: string): bigint {
  if (isIPv4(address)) return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = "", tail] = withoutDots(address).split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** "::ffff:10.0.0.1" → "::ffff:a00:1" */
function withoutDots(address: string): string {
  const dotted = /[^:]*\.[^:]*$/.exec(address)?.[0];
  if (dotted === undefined) return address;
  const value = toNumber(dotted);
  return address.slice(0, -dotted.length) + `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

/** The longest run of at least two zero groups becomes "::" (RFC 5952). */
function shorten(groups: readonly string[]): string {
  const runs = [
    ...groups
      .map((group) => (group === "0" ? "0" : "x"))
      .join("")
      .matchAll(/0{2,}/g),
  ];
  const longest = runs.reduce<RegExpExecArray | undefined>(
    (best, run) => (best === undefined || run[0].length > best[0].length ? run : best),
    undefined,
  );
  if (longest === undefined) return groups.join(":");
  return `${groups.slice(0, longest.index).join(":")}::${groups.slice(longest.index + longest[0].length).join(":")}`;
}
