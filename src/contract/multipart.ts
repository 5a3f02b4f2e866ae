/**
 * Splits a multipart body (RFC 2046 §5.1, RFC 7578) into its parts. Parts are views of the body, nothing is copied.
 */
import { parseMediaType, type MediaType } from "./media-type.ts";

export interface Part {
  /** The field's name; absent where the part has no Content-Disposition with one. */
  readonly name: string | undefined;
  readonly filename: string | undefined;
  /** Absent where the part says none. */
  readonly type: MediaType | undefined;
  readonly bytes: Uint8Array;
}

export type SplitParts = { readonly ok: true; readonly parts: readonly Part[] } | { readonly ok: false; readonly message: string };

/** Parts of one body, at the most. */
export const partsMax = 1000;
/** Header bytes of one part, at the most. */
export const partHeaderBytesMax = 16 * 1024;

const crlf = "\r\n";

/** Splits a body at its boundary. */
export function splitParts(body: Uint8Array, boundary: string): SplitParts {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = `--${boundary}`;
  const parts: Part[] = [];
  let at = buffer.indexOf(delimiter);
  if (at < 0 || (at > 0 && buffer.toString("latin1", at - 2, at) !== crlf))
    return { ok: false, message: "has no part: its boundary does not occur" };
  while (true) {
    at += delimiter.length;
    if (buffer.toString("latin1", at, at + 2) === "--") return { ok: true, parts };
    const start = afterLine(buffer, at);
    const end = start < 0 ? -1 : buffer.indexOf(`${crlf}${delimiter}`, start - crlf.length);
    if (end < 0) return { ok: false, message: "is cut short: its closing boundary is missing" };
    if (parts.length >= partsMax) return { ok: false, message: `has more than ${partsMax} parts` };
    const part = readPart(buffer.subarray(start, Math.max(start, end)));
    if (typeof part === "string") return { ok: false, message: part };
    parts.push(part);
    at = end + crlf.length;
  }
}

/** Behind the line break that ends a boundary line; -1 when there is none. */
function afterLine(buffer: Buffer, at: number): number {
  const end = buffer.indexOf(crlf, at);
  return end < 0 || buffer.toString("latin1", at, end).trim() !== "" ? -1 : end + crlf.length;
}

function readPart(part: Buffer): Part | string {
  const headless = part.toString("latin1", 0, crlf.length) === crlf;
  const end = headless ? 0 : part.indexOf(crlf + crlf);
  if (end < 0) return "has a part without an empty line after its headers";
  if (end > partHeaderBytesMax) return `has a part with more than ${partHeaderBytesMax} bytes of headers`;
  const headers = readHeaders(part.toString("utf8", 0, end));
  const disposition = headers.get("content-disposition") ?? "";
  const type = headers.get("content-type");
  return {
    name: parameterOf(disposition, "name"),
    filename: parameterOf(disposition, "filename") ?? parameterOf(disposition, "filename\\*"),
    type: type === undefined ? undefined : parseMediaType(type),
    bytes: part.subarray(end + (headless ? crlf.length : 2 * crlf.length)),
  };
}

function readHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.split(crlf)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

/** A parameter of Content-Disposition. Browsers write `"` as %22 and line breaks as %0D%0A in names. */
function parameterOf(disposition: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:\\\\.|[^"\\\\])*)"|([^;]*))`, "i").exec(disposition);
  const text = match?.[1] ?? match?.[2]?.trim();
  return text
    ?.replace(/\\(["\\])/g, "$1")
    .replaceAll("%22", '"')
    .replaceAll("%0D", "\r")
    .replaceAll("%0A", "\n");
}
