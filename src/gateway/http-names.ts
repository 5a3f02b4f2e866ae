/**
 * Texts of a head that nearly all requests have in common, found by their bytes: header names, in lower case, and what a client
 * says of itself in each of its requests. Making them anew would cost more than the rest of a head, and then again where they are
 * looked up: a text that was looked up before brings its hash with it.
 */

/** What a header says to whoever cuts messages out of a connection. "forwarding": what only a proxy in front may say. */
export type HeaderRole = "host" | "connection" | "content-length" | "transfer-encoding" | "expect" | "upgrade" | "forwarding";

export interface HeaderName {
  /** In lower case. */
  readonly name: string;
  /** Undefined: it is for others. */
  readonly role: HeaderRole | undefined;
  /** Clients send the same value again and again, and it is no secret. */
  readonly repeats: boolean;
}

interface Known extends HeaderName {
  /** As it was sent. */
  readonly spelling: string;
}

/** A power of two. The last name with its hash stays: what a client makes up takes no more room than this. */
const slots: (Known | undefined)[] = Array.from({ length: 512 }, () => undefined);
/** Longer ones are not kept. */
const spellingBytesMax = 48;

const roles: ReadonlySet<string> = new Set<HeaderRole>(["host", "connection", "content-length", "transfer-encoding", "expect", "upgrade"]);
/** Whose values are kept: never credentials or cookies. */
const repeating: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "content-type",
  "transfer-encoding",
  "user-agent",
  "accept",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "date",
  "keep-alive",
  "server",
  "vary",
]);

/** @param hash of the bytes from `from` to `to`, in whatever way: the same for the same bytes. */
export function headerName(bytes: Buffer, from: number, to: number, hash: number): HeaderName {
  const slot = hash & (slots.length - 1);
  const known = slots[slot];
  if (known !== undefined && known.spelling.length === to - from && isAt(bytes, from, known.spelling)) return known;
  const spelling = bytes.toString("latin1", from, to);
  const name = spelling.toLowerCase();
  const made = { spelling, name, role: roleOf(name), repeats: repeating.has(name) };
  if (spelling.length <= spellingBytesMax) slots[slot] = made;
  return made;
}

/** As `slots`, for methods and for values of headers that repeat. */
const texts: string[] = Array.from({ length: 256 }, () => "");
/** Longer ones are not kept: comparing them would cost what making them does. */
const textBytesMax = 128;

/** The text of the bytes from `from` to `to`, which is likely to be one that was there before. */
export function repeatedText(bytes: Buffer, from: number, to: number): string {
  const length = to - from;
  if (length === 0) return "";
  if (length > textBytesMax) return bytes.toString("latin1", from, to);
  const middle = bytes[from + (length >> 1)] as number;
  const slot = (length * 31 + (bytes[from] as number) * 7 + (bytes[to - 1] as number) * 3 + middle) & (texts.length - 1);
  const known = texts[slot] as string;
  if (known.length === length && isAt(bytes, from, known)) return known;
  return (texts[slot] = bytes.toString("latin1", from, to));
}

function roleOf(name: string): HeaderRole | undefined {
  if (isRole(name)) return name;
  return isForwarding(name) ? "forwarding" : undefined;
}

function isRole(name: string): name is HeaderRole {
  return roles.has(name);
}

/** What a proxy says of a message's length, of who asks and for what, besides. */
const proxyNames: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "te",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
]);

/**
 * Whether it is a header by which a proxy tells for whom it asks. With "_" in the place of "-" too: CGI, and what was made after it
 * (WSGI, Rack, PHP), take both for the same (RFC 3875 §4.1.18); so what is written so and is a proxy's to say at all is one too.
 * @param name in lower case.
 */
export function isForwarding(name: string): boolean {
  const plain = name.includes("_") ? name.replaceAll("_", "-") : name;
  if (plain === "forwarded" || plain === "x-real-ip" || plain.startsWith("x-forwarded-")) return true;
  return plain !== name && proxyNames.has(plain);
}

function isAt(bytes: Buffer, from: number, spelling: string): boolean {
  for (let index = 0; index < spelling.length; index++) if (bytes[from + index] !== spelling.charCodeAt(index)) return false;
  return true;
}
