/**
 * For whom a request comes, as proxies tell it: `Forwarded` (RFC 7239) and `X-Forwarded-*`. Anybody can write these headers, so
 * they are believed as far as trusted proxies have written them, from the nearest on, and told on in a form that can be.
 */
import { isIP } from "node:net";
import type { HeaderList } from "./front.ts";
import { isForwarding } from "./http-names.ts";
import { isToken, trimBlanks } from "./http-syntax.ts";
import { isHost } from "./http-target.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

export type Proto = "http" | "https";

/** So many proxies in a row are believed; whoever the last of them names is taken for the client. */
export const hopsMax = 32;
/** RFC 7239 §6.2: nobody knows, or says. */
const unknown = "unknown";

/** Where a request comes from, as it is believed. */
export class Origin {
  /** An address; "unknown" or an obfuscated name ("_abc") where a proxy tells no more. Undefined: a unix socket's. */
  readonly client: string | undefined;
  /** What the client spoke, with the outermost trusted proxy. */
  readonly proto: Proto;
  /** What it asked for: the Host, or what the trusted proxy says that it was. */
  readonly host: string | undefined;
  /** The client, then the trusted proxies that the request went through; the last is the peer. */
  readonly chain: readonly string[];
  #forwarding: HeaderList | undefined;
  #received: HeaderList | undefined;

  constructor(chain: readonly string[], proto: Proto, host: string | undefined) {
    this.client = chain[0];
    this.chain = chain;
    this.proto = proto;
    this.host = host;
  }

  /** What whoever comes behind us is told of it. The same list each time. */
  get forwarding(): HeaderList {
    return (this.#forwarding ??= forwardingHeaders(this.chain.length === 0 ? [unknown] : this.chain, this.proto, this.host));
  }

  /** What we are told of it ourselves, as far as it is believed: the same without the peer. */
  get received(): HeaderList {
    return (this.#received ??= forwardingHeaders(this.chain.slice(0, -1), this.proto, this.host));
  }
}

/** Of a request of a peer that is not trusted, or that says nothing. @param peer its address; IPv4 without the IPv6 mapping. */
export function directOrigin(peer: string | undefined, host: string | undefined): Origin {
  return new Origin(peer === undefined ? [] : [peer], "http", host);
}

/** Origins that are remembered; over it all are forgotten. */
const rememberedMax = 1_000;
/** What is longer is no proxy's, but a client's that would have us remember it. */
const rememberedBytesMax = 512;

/** What trusted proxies tell. They say the same of all requests of a client: reading it once is enough. */
export class ToldOrigins {
  readonly #proxies: TrustedProxies;
  readonly #known = new Map<string, Origin>();

  constructor(proxies: TrustedProxies) {
    this.#proxies = proxies;
  }

  /** Whether the peer is one of them. */
  trusts(peer: string): boolean {
    return this.#proxies.has(peer);
  }

  /** As `toldOrigin`. */
  of(peer: string, host: string | undefined, headers: HeaderList): Origin {
    const key = keyOf(peer, host, headers);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const origin = toldOrigin(peer, host, headers, this.#proxies);
    if (key.length > rememberedBytesMax) return origin;
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(key, origin);
    return origin;
  }
}

/** All that an origin is made of. No part of it has a line end. */
function keyOf(peer: string, host: string | undefined, headers: HeaderList): string {
  let key = `${peer}\n${host ?? ""}`;
  for (let at = 0; at < headers.length; at += 2) {
    if (believed.has(headers[at] ?? "")) key += `\n${headers[at]}:${headers[at + 1]}`;
  }
  return key;
}

/** @param headers of a request whose peer is trusted. */
export function toldOrigin(peer: string, host: string | undefined, headers: HeaderList, proxies: TrustedProxies): Origin {
  const told = readTold(headers);
  const chain = [peer];
  let at = told.nodes.length;
  while (at > 0 && chain.length <= hopsMax && proxies.has(chain[0] as string)) chain.unshift(told.nodes[--at] as string);
  // What the proxy that named the client says of it. Where nobody is named, or names do not belong together: the nearest one.
  const said = <T>(list: readonly T[]): T | undefined => (list.length === told.nodes.length ? list[at] : list.at(-1));
  const toldHost = said(told.hosts);
  return new Origin(chain, readProto(said(told.protos)) ?? "http", toldHost !== undefined && isHost(toldHost) ? toldHost : host);
}

/** Without what nobody may say to us who is not trusted. */
export function withoutForwarding(headers: HeaderList): HeaderList {
  return filtered(headers, isForwarding);
}

/** Of a trusted peer: what it says of where the request comes from is replaced by as much of it as is believed. */
export function withBelieved(headers: HeaderList, { received }: Origin): HeaderList {
  return filtered(headers, (name) => believed.has(name) || isDisguised(name)).concat(received);
}

const believed: ReadonlySet<string> = new Set(["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]);

/** Proxies write none of these so: it is a client's, in the hope that the daemon reads it as the proxy's. */
function isDisguised(name: string): boolean {
  return name.includes("_") && isForwarding(name);
}

function filtered(headers: HeaderList, isLeftOut: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? "";
    if (!isLeftOut(name)) kept.push(name, headers[at + 1] ?? "");
  }
  return kept;
}

// Told on

function forwardingHeaders(chain: readonly string[], proto: Proto, host: string | undefined): HeaderList {
  const [client, ...proxies] = chain;
  const first = [
    ...(client === undefined ? [] : [`for=${node(client)}`]),
    ...(host === undefined ? [] : [`host=${isToken(host) ? host : `"${host}"`}`]),
    `proto=${proto}`,
  ];
  return [
    "forwarded",
    [first.join(";"), ...proxies.map((proxy) => `for=${node(proxy)}`)].join(", "),
    ...(client === undefined ? [] : ["x-forwarded-for", chain.join(", ")]),
    "x-forwarded-proto",
    proto,
    ...(host === undefined ? [] : ["x-forwarded-host", host]),
  ];
}

/** RFC 7239 §6: IPv6 in brackets, and then quoted, because a colon is in no token. */
function node(address: string): string {
  return address.includes(":") ? `"[${address.split("%", 1)[0]}]"` : address;
}

// Read

/** What proxies say, the nearest last. Each list by whichever of both conventions says it. */
interface Told {
  readonly nodes: readonly string[];
  readonly protos: readonly (string | undefined)[];
  readonly hosts: readonly (string | undefined)[];
}

/**
 * `X-Forwarded-*` goes before `Forwarded`, each of them for itself: nearly all proxies write the former, and pass the latter on as
 * a client has sent it.
 */
function readTold(headers: HeaderList): Told {
  const elements = linesOf(headers, "forwarded").flatMap((line) => readForwarded(line) ?? [{}]);
  const nodes = listOf(headers, "x-forwarded-for") ?? elements.map((element) => element.for ?? unknown);
  return {
    nodes: nodes.map(readNode),
    protos: listOf(headers, "x-forwarded-proto") ?? elements.map(({ proto }) => proto),
    hosts: listOf(headers, "x-forwarded-host") ?? elements.map(({ host }) => host),
  };
}

function linesOf(headers: HeaderList, name: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at < headers.length; at += 2) if (headers[at] === name) lines.push(headers[at + 1] ?? "");
  return lines;
}

/** Undefined: there is no such header. */
function listOf(headers: HeaderList, name: string): string[] | undefined {
  const lines = linesOf(headers, name);
  if (lines.length === 0) return undefined;
  const parts = lines.flatMap((line) => line.split(",").map(trimBlanks));
  return parts.filter((part) => part !== "");
}

function readProto(text: string | undefined): Proto | undefined {
  const proto = text?.toLowerCase();
  return proto === "http" || proto === "https" ? proto : undefined;
}

const obfuscated = /^_[\w.-]{1,63}$/;
const bracketed = /^\[([^\]]*)\](?::.*)?$/;

/** An address without its port, IPv4 without the IPv6 mapping; an obfuscated name; or "unknown". */
export function readNode(text: string): string {
  if (obfuscated.test(text)) return text;
  const inner = bracketed.exec(text)?.[1];
  if (inner !== undefined) return isIP(inner) === 6 ? plainAddress(inner) : unknown;
  if (isIP(text) !== 0) return plainAddress(text);
  const [address = "", port, ...more] = text.split(":");
  return isIP(address) === 4 && port !== undefined && more.length === 0 ? address : unknown;
}

function plainAddress(address: string): string {
  const lower = address.toLowerCase();
  return lower.startsWith("::ffff:") && isIP(lower.slice(7)) === 4 ? lower.slice(7) : lower;
}

/** What one proxy says (RFC 7239 §4). */
export interface ForwardedElement {
  readonly for?: string;
  readonly by?: string;
  readonly host?: string;
  readonly proto?: string;
}

/** One pair, or a place where one may be missing, and what stands behind it. The value is a token or a quoted string. */
const pair = /[ \t]*(?:([!#$%&'*+\-.^_`|~\w]+)=(?:([!#$%&'*+\-.^_`|~\w]+)|"((?:[^"\\]|\\.)*)")[ \t]*)?(,|;|$)/y;

/** @returns undefined: it is malformed. What a client has begun, a quote that never ends, must not swallow what a proxy adds. */
export function readForwarded(line: string): ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  let element: Record<string, string> | undefined;
  pair.lastIndex = 0;
  for (;;) {
    const found = pair.exec(line);
    if (found === null) return undefined;
    const [, name, token, quoted, behind] = found;
    if (name !== undefined) {
      element ??= Object.create(null) as Record<string, string>;
      const key = name.toLowerCase();
      // "each parameter MUST NOT occur more than once per field-value": two proxies in one, who could tell them apart?
      if (key in element) return undefined;
      element[key] = token ?? (quoted ?? "").replaceAll(/\\(.)/g, "$1");
    }
    if (behind === ";") continue;
    if (element !== undefined) elements.push(element);
    element = undefined;
    if (behind === "") return elements;
  }
}
