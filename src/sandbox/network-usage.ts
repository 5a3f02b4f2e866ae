/** What went through the host's ends of instances' wires, of /proc/net/dev, which has all of them in one read. */
import { readFileSync } from "node:fs";

/** One read serves whoever asks within this time. */
const freshMs = 20;

export interface LinkBytes {
  readonly received: number;
  readonly sent: number;
}

let read: { readonly at: number; readonly links: ReadonlyMap<string, LinkBytes> } = { at: Number.NEGATIVE_INFINITY, links: new Map() };

/** As the host sees it: what it received is what the instance sent. Undefined: there is no such link. */
export function bytesOf(link: string, now = performance.now()): LinkBytes | undefined {
  if (now - read.at > freshMs || !read.links.has(link)) read = { at: now, links: parseLinks(readText()) };
  return read.links.get(link);
}

/** Whether a link of that name is there now. */
export function linkNames(): ReadonlySet<string> {
  return new Set(parseLinks(readText()).keys());
}

/** proc_pid_net(5): "  eth0: bytes packets errs drop fifo frame compressed multicast | bytes …". */
export function parseLinks(text: string): ReadonlyMap<string, LinkBytes> {
  const links = new Map<string, LinkBytes>();
  for (const line of text.split("\n")) {
    const colon = line.lastIndexOf(":");
    const figures = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const [received = Number.NaN, sent = Number.NaN] = [figures[0], figures[8]];
    if (colon > 0 && !Number.isNaN(received) && !Number.isNaN(sent)) links.set(line.slice(0, colon).trim(), { received, sent });
  }
  return links;
}

function readText(): string {
  try {
    return readFileSync("/proc/net/dev", "latin1");
  } catch {
    return "";
  }
}
