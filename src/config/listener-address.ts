/** `tcp`: the address and port of a listener, as `1234`, `127.0.0.1:1234`, `"[::1]:1234"` or `":1234"`. */
import { isIPv4, isIPv6 } from "node:net";
import type { Refusal, Shape } from "./shape.ts";
import { refuseTag, refuseType } from "./shape.ts";
import { quoted } from "./value.ts";

export interface TcpAddress {
  /** An IP address, without brackets. */
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** What a port alone listens on: nothing outside of the machine reaches it. */
export const addressDefault = "127.0.0.1";
/** What ":1234" listens on: every address of the machine, of IPv4 too. */
export const addressEvery = "::";

const expected = 'a port such as 1234, or an address and a port such as "127.0.0.1:1234" or "[::1]:1234"';
const form = 'Write a port alone (for 127.0.0.1), "127.0.0.1:1234", "[::1]:1234", or ":1234" for every address of the machine';
const portMax = 65_535;

export const tcpAddress: Shape<TcpAddress> = {
  expected,
  read(value, name, reading) {
    refuseTag(value, name, reading);
    if (value.kind !== "text" && value.kind !== "number") return refuseType(value, name, expected, reading);
    const parsed = parseAddress(value.text);
    if (!("message" in parsed)) return parsed;
    reading.error(value, parsed.message, parsed.hint);
    return undefined;
  },
  schema: () => ({
    anyOf: [
      { type: "integer", minimum: 0, maximum: portMax },
      { type: "string", pattern: String.raw`^(?:(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\])?:)?\d{1,5}$` },
    ],
  }),
};

/** As it is named in logs and on the link: "tcp:1234" for the default address, "tcp:[::1]:1234". */
export function nameOfAddress({ address, port }: TcpAddress): string {
  if (address === addressDefault) return `tcp:${port}`;
  return `tcp:${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function parseAddress(written: string): TcpAddress | Refusal {
  const [, host, digits] = /^(?:(.*):)?([^:]*)$/s.exec(written) ?? [];
  const port = Number(digits);
  if (digits === undefined || !/^\d+$/.test(digits)) return { message: `The address ${quoted(written)} has no port`, hint: form };
  if (port > portMax) return { message: `The port ${digits} of ${quoted(written)} is more than ${portMax}`, hint: form };
  if (host === undefined) return { address: addressDefault, port };
  if (host === "") return { address: addressEvery, port };
  if (isIPv4(host)) return { address: host, port };
  const [, inBrackets] = /^\[(.*)\]$/s.exec(host) ?? [];
  // A URL's host is the address in its one canonical form (RFC 5952), so that no address has two names.
  if (inBrackets !== undefined && isIPv6(inBrackets) && !inBrackets.includes("%"))
    return { address: new URL(`http://[${inBrackets}]`).hostname.slice(1, -1), port };
  if (isIPv6(host) || isIPv6(written))
    return { message: `The address ${quoted(written)} lacks brackets around its IPv6 address`, hint: 'Write it as "[::1]:1234"' };
  return { message: `The address ${quoted(written)} is not an IP address`, hint: form };
}
