/**
 * The request target (RFC 9112 §3.2) made canonical: one path that everybody who decides by it sees. Dot segments are resolved
 * as RFC 3986 §5.2.4 says, percent-encoded dots among them; nothing else is changed.
 */
import { badRequest, type Refusal } from "./http-refusal.ts";

export interface Target {
  /** In origin-form, or "*". */
  readonly target: string;
  /** Of an absolute-form target; it takes the Host header's place (RFC 9112 §3.2.2). */
  readonly authority?: string;
}

/** RFC 3986 §3.2.2 without percent-encoding and userinfo: what a client that means no harm sends. */
const saneHost = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;
let lastSaneHost = "";

/** Whether it is a host name, an IPv4 address or a bracketed IPv6 address, with or without a port. */
export function isHost(text: string): boolean {
  if (text === lastSaneHost) return true;
  if (!saneHost.test(text)) return false;
  lastSaneHost = text;
  return true;
}

const backslashInPath = /^[^?]*\\/;
const absoluteForm = /^https?:\/\/([^/?]*)(.*)$/i;

/** Of a target that is not a plain path: with dots in its segments or a backslash, or in another form than origin-form. */
export function readUnusualTarget(method: string, raw: string): Target | Refusal {
  // RFC 3986 has none, but WHATWG URL takes it for a slash: a function that looks at its URL would see another path than was routed.
  if (backslashInPath.test(raw)) return badRequest("The request target's path has a backslash, which must be percent-encoded: %5C");
  if (raw.startsWith("/")) return { target: withoutDots(raw) };
  if (raw === "*") return method === "OPTIONS" ? { target: raw } : badRequest("The target * is for OPTIONS alone");
  const [, authority, rest = ""] = absoluteForm.exec(raw) ?? [];
  if (authority === undefined) return badRequest("The request target is neither a path nor an http URL");
  if (!isHost(authority)) return badRequest("The request target's authority is no host name or address");
  // RFC 9112 §3.2.4: how a proxy is asked to pass on OPTIONS *.
  if (rest === "" && method === "OPTIONS") return { target: "*", authority };
  return { target: withoutDots(rest.startsWith("/") ? rest : `/${rest}`), authority };
}

const dots = /\/(?:\.|%2e){1,2}(?=\/|$)/i;

function withoutDots(target: string): string {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!dots.test(path)) return target;
  return resolveDots(path) + (mark < 0 ? "" : target.slice(mark));
}

function resolveDots(path: string): string {
  const segments: string[] = [];
  const parts = path.slice(1).split("/");
  for (const [index, part] of parts.entries()) {
    const plain = part.replaceAll(/%2e/gi, ".");
    const isDots = plain === "." || plain === "..";
    if (plain === "..") segments.pop();
    if (!isDots) segments.push(part);
    // What ends in dots is a folder: "/a/." is "/a/".
    else if (index === parts.length - 1) segments.push("");
  }
  return `/${segments.join("/")}`;
}
