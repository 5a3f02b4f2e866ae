/** Blocks of IP addresses, as CIDR writes them (RFC 4632 §3.1, RFC 4291 §2.3): 10.201.0.0/16, fd00::/8. */
import { isIPv4, isIPv6 } from "node:net";

export interface Cidr {
  readonly version: 4 | 6;
  /** Of the first address. */
  readonly bits: bigint;
  /** Bits that all its addresses have in common. */
  readonly prefix: number;
}

export type ParsedCidr =
  | { readonly ok: true; readonly cidr: Cidr }
  /** `message` continues "it …"; `meant` is what was nearly written. */
  | { readonly ok: false; readonly message: string; readonly meant?: string };

const widthOf = { 4: 32, 6: 128 } as const;

/** Reads a block. One whose address has bits behind its prefix is refused: it names an address, or another block. */
export function parseCidr(text: string): ParsedCidr {
  const [, address = "", digits] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const bits = parseAddress(address);
  if (digits === undefined || bits === undefined) return { ok: false, message: "is not a block of addresses" };
  const version = isIPv4(address) ? 4 : 6;
  const prefix = Number(digits);
  if (prefix > widthOf[version]) return { ok: false, message: `has more than ${widthOf[version]} bits` };
  const first = firstOf(bits, prefix, version);
  if (first === bits) return { ok: true, cidr: { version, bits, prefix } };
  return { ok: false, message: "does not start at its first address", meant: `${formatAddress(first, version)}/${prefix}` };
}

/** Whether all addresses of the inner block are in the outer one. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return outer.version === inner.version && outer.prefix <= inner.prefix && firstOf(inner.bits, outer.prefix, outer.version) === outer.bits;
}

/** Whether they have an address in common. */
export function overlaps(one: Cidr, other: Cidr): boolean {
  return contains(one, other) || contains(other, one);
}

/** Of texts that are known to be blocks. */
export function cidrs(...texts: readonly string[]): readonly Cidr[] {
  return texts.map((text) => {
    const parsed = parseCidr(text);
    if (!parsed.ok) throw new RangeError(`"${text}" ${parsed.message}`);
    return parsed.cidr;
  });
}

function firstOf(bits: bigint, prefix: number, version: 4 | 6): bigint {
  const behind = BigInt(widthOf[version] - prefix);
  return (bits >> behind) << behind;
}

/** As a number; undefined: it is no IP address, or one with a zone. */
function parseAddress(text: string): bigint | undefined {
  if (isIPv4(text)) return fromBytes(text.split(".").map(Number));
  if (!isIPv6(text) || text.includes("%")) return undefined;
  // An address may end as one of IPv4 does (RFC 4291 §2.2); a URL's host is its one canonical form, which does not.
  const [head = "", tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string): number[] => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

function fromBytes(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The one canonical form of an address (RFC 5952). */
export function formatAddress(bits: bigint, version: 4 | 6): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => ((bits >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(":");
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}
