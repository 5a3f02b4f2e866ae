/**
 * How names are resolved inside an instance: the machine's own name servers, where they can be reached from there. One that listens
 * on the machine's loopback cannot: 127.0.0.1 inside is the instance's own.
 */
import { readFile } from "node:fs/promises";
import { isIPv4, isIPv6 } from "node:net";
import type { NetworkMode } from "../config/app.ts";

const machinesFile = "/etc/resolv.conf";
/** Where systemd-resolved, which itself listens on 127.0.0.53, writes down whom it asks. */
const systemdFile = "/run/systemd/resolve/resolv.conf";
/** MAXNS of resolv.h: libc looks at no more. */
const serversMax = 3;

export interface Reach {
  readonly mode: NetworkMode;
  /** The bridge's address. */
  readonly gateway: string;
  /** It has IPv6. */
  readonly ipv6: boolean;
}

export interface Resolving {
  /** For the instance's /etc/resolv.conf. */
  readonly lines: string;
  /** Why names do not resolve inside, and what to do. Absent: they do, or are not meant to. */
  readonly problem?: string;
}

/** What an instance gets, as the machine's files are now. */
export async function resolvingFor(reach: Reach): Promise<Resolving> {
  const [own, systemd] = await Promise.all([machinesFile, systemdFile].map((file) => readFile(file, "utf8").catch(() => "")));
  return resolving(own ?? "", systemd ?? "", reach);
}

/** @param own the machine's resolv.conf. @param systemd systemd-resolved's list of those that it asks; "": there is none. */
export function resolving(own: string, systemd: string, { mode, gateway, ipv6 }: Reach): Resolving {
  const source = serversOf(own).every(isLoopback) && serversOf(systemd).length > 0 ? systemd : own;
  const servers = serversOf(source);
  const onLoopback = servers.length === 0 || servers.some(isLoopback);
  const outside = servers.filter((server) => !isLoopback(server) && (isIPv4(server) || (ipv6 && isReachable6(server))));
  if (mode === "none") return { lines: "" };
  // A resolver on the machine's loopback may listen on the bridge too: asking it there costs a refused packet at worst.
  const reached = mode === "open" && outside.length > 0 ? outside : onLoopback ? [gateway] : [];
  const lines = [...reached.slice(0, serversMax).map((server) => `nameserver ${server}`), ...otherLines(source)];
  const problem = mode === "open" && outside.length === 0 ? missing(servers, gateway) : undefined;
  return { lines: lines.map((line) => `${line}\n`).join(""), ...(problem === undefined ? {} : { problem }) };
}

/** The lines of /etc/hosts of an instance. @param addresses its own; none with the network "none". */
export function hostsLines(hostname: string, addresses: readonly string[]): string {
  const own = addresses.length > 0 ? addresses : ["127.0.0.1"];
  return ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", ...own.map((address) => `${address} ${hostname}`)]
    .map((line) => `${line}\n`)
    .join("");
}

function missing(servers: readonly string[], gateway: string): string {
  const found =
    servers.length === 0
      ? `${machinesFile} names no server`
      : `${machinesFile} names only ${servers.join(", ")}, which instances cannot reach`;
  return `Names do not resolve in containers: ${found}; let a resolver listen on ${gateway} too (dnsmasq: "listen-address=${gateway}" and "bind-dynamic"), or name a server of your network in ${machinesFile}`;
}

function serversOf(text: string): string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1] ?? "");
}

function otherLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^(?:search|domain|options|sortlist)\s/.test(line));
}

function isLoopback(server: string): boolean {
  return server.startsWith("127.") || server === "::1" || server === "0.0.0.0";
}

/** Not one that is a neighbour's alone (RFC 4291 §2.5.6): instances are behind a router. */
function isReachable6(server: string): boolean {
  return isIPv6(server) && !server.includes("%") && !/^fe[89ab]/i.test(server);
}
