/**
 * Which addresses of a subnet are whose. The lower half of it is for instances of "open" apps and the upper for "internal" ones, so
 * that firewall rules need not know who is who.
 */
import { type Cidr, formatAddress, parseCidr } from "../config/cidr.ts";

const widthOf = { 4: 32, 6: 128 } as const;

/** A block of which is known that it is one. */
export function toCidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new RangeError(`"${text}" ${parsed.message}`);
  return parsed.cidr;
}

export function formatCidr({ version, bits, prefix }: Cidr): string {
  return `${formatAddress(bits, version)}/${prefix}`;
}

/** How many addresses it has. */
export function sizeOf({ version, prefix }: Cidr): bigint {
  return 1n << BigInt(widthOf[version] - prefix);
}

export function halves(block: Cidr): readonly [lower: Cidr, upper: Cidr] {
  const lower = { ...block, prefix: block.prefix + 1 };
  return [lower, following(lower)];
}

/** The block of the same size that follows. */
export function following(block: Cidr): Cidr {
  return { ...block, bits: block.bits + sizeOf(block) };
}

/** The nth address of a block; the 0th is its first. */
export function addressAt({ version, bits }: Cidr, nth: bigint): string {
  return formatAddress(bits + nth, version);
}

/** A locally administered Ethernet address that an IPv4 address determines: nobody has to ask for it. */
export function macOf(address4: string): string {
  const octets = address4.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return ["02", "75", ...octets].join(":");
}
