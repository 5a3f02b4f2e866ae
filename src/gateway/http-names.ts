/**
 * Header names in lower case, found by their bytes. Nearly all requests bring the same few dozen in the same spelling: making
 * them anew would cost more than the rest of a head.
 */

/** What a header says to the front itself. */
export type HeaderRole = "host" | "connection" | "content-length" | "transfer-encoding" | "expect";

export interface HeaderName {
  /** In lower case. */
  readonly name: string;
  /** Undefined: it is for others. */
  readonly role: HeaderRole | undefined;
}

interface Known extends HeaderName {
  /** As it was sent. */
  readonly spelling: string;
}

/** A power of two. The last name with its hash stays: what a client makes up takes no more room than this. */
const slots: (Known | undefined)[] = Array.from({ length: 512 }, () => undefined);
/** Longer ones are not kept. */
const spellingBytesMax = 48;

const roles: ReadonlySet<string> = new Set<HeaderRole>(["host", "connection", "content-length", "transfer-encoding", "expect"]);

/** @param hash of the bytes from `from` to `to`, in whatever way: the same for the same bytes. */
export function headerName(bytes: Buffer, from: number, to: number, hash: number): HeaderName {
  const slot = hash & (slots.length - 1);
  const known = slots[slot];
  if (known !== undefined && known.spelling.length === to - from && isAt(bytes, from, known.spelling)) return known;
  const spelling = bytes.toString("latin1", from, to);
  const name = spelling.toLowerCase();
  const made = { spelling, name, role: isRole(name) ? name : undefined };
  if (spelling.length <= spellingBytesMax) slots[slot] = made;
  return made;
}

function isRole(name: string): name is HeaderRole {
  return roles.has(name);
}

function isAt(bytes: Buffer, from: number, spelling: string): boolean {
  for (let index = 0; index < spelling.length; index++) if (bytes[from + index] !== spelling.charCodeAt(index)) return false;
  return true;
}
