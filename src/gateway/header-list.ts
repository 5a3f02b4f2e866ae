/** Reads a flat list of headers as the contract wants to. */
import type { HeaderReader } from "../contract/contract.ts";
import type { HeaderList } from "./front.ts";

/** All values of a header, joined by ", " (RFC 9110 §5.3); null: there is none. @param name in lower case. */
export function headerOf(headers: HeaderList, name: string): string | null {
  let found: string | null = null;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] === name) found = found === null ? (headers[at + 1] ?? "") : `${found}, ${headers[at + 1]}`;
  }
  return found;
}

export function headerReader(headers: HeaderList): HeaderReader {
  return { get: (name) => headerOf(headers, name) };
}
