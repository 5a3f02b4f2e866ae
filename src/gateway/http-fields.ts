/**
 * Header lines (RFC 9112 §5), of requests and of replies alike: found in one pass over their bytes, then read. Strict: a line that
 * two parsers could take for different things is none.
 */
import { headerLinesMax, replyHeaderLinesMax } from "./http-limits.ts";
import { type HeaderName, headerName, type HeaderRole, repeatedText } from "./http-names.ts";
import { carriageReturn, colon, lineFeed, space, tab, tokenBytes, valueBytes } from "./http-syntax.ts";

/** What is wrong with header lines. "more": nothing yet, they go on. */
export type FieldFault = "more" | "line-end" | "folded" | "spaced-name" | "bad-name" | "too-many";
/** What a step of the scan came to. */
export type FieldsScanned = "found" | FieldFault;

/** Where things are in header lines. One is enough: what is found is copied out before anything else is scanned. */
class FieldScan {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** Nothing behind it is looked at. */
  end = 0;
  count = 0;
  linesMax = 0;
  readonly names: HeaderName[] = [];
  /** Where the values start and end: two offsets a header. */
  readonly values = new Int32Array(Math.max(headerLinesMax, replyHeaderLinesMax) * 2);
}

const scan = new FieldScan();

/** What headers say to whoever cuts messages out of a connection. Values of several lines are joined by ",". */
export class FieldNotes implements Record<HeaderRole, string | undefined> {
  host: string | undefined;
  connection: string | undefined;
  "content-length": string | undefined;
  "transfer-encoding": string | undefined;
  expect: string | undefined;
  upgrade: string | undefined;
  forwarding: string | undefined;
}

/**
 * Finds the header lines that start at `from` and the empty line behind them.
 * @param end nothing behind it is looked at.
 */
export function scanFields(bytes: Buffer, from: number, end: number, linesMax: number): FieldsScanned {
  scan.bytes = bytes;
  scan.at = from;
  scan.end = end;
  scan.count = 0;
  scan.linesMax = linesMax;
  for (;;) {
    if (scan.at >= end) return "more";
    if (bytes[scan.at] === carriageReturn) return scanLineEnd();
    const scanned = scanField();
    if (scanned !== "found") return scanned;
  }
}

/** Where the lines that were found end: behind the empty one. */
export function fieldsEnd(): number {
  return scan.at;
}

/**
 * Reads what was found.
 * @param start of the message: the values are parts of one text that begins there.
 * @param notes is told of what the front itself wants to know.
 */
export function readFields(start: number, notes: FieldNotes): string[] {
  const { bytes, names, values, count } = scan;
  const headers: string[] = [];
  // Of the values that are not repeated: they are parts of one text.
  let text: string | undefined;
  for (let index = 0; index < count; index++) {
    const { name, role, repeats } = names[index] as HeaderName;
    const from = values[index * 2] as number;
    const to = values[index * 2 + 1] as number;
    const value = repeats
      ? repeatedText(bytes, from, to)
      : (text ??= bytes.toString("latin1", start, scan.at)).slice(from - start, to - start);
    headers.push(name, value);
    // Two lines of one of these are a list: not one host, not one length.
    if (role !== undefined) notes[role] = notes[role] === undefined ? value : `${notes[role]},${value}`;
  }
  return headers;
}

/** @param whose "request" or "reply". */
export function faultText(fault: Exclude<FieldFault, "more">, whose: string): string {
  switch (fault) {
    case "line-end":
      return `A line of the ${whose}'s head does not end in CR LF, or has a control character`;
    case "folded":
      return "A header line begins with white space (obsolete line folding)";
    case "spaced-name":
      return "A header's name is followed by white space";
    case "bad-name":
      return "A header line has no name that is a token";
    case "too-many":
      return `The ${whose} has more than ${scan.linesMax} headers`;
  }
}

function scanField(): FieldsScanned {
  const { bytes, end, values, count, at: nameStart } = scan;
  if (count === scan.linesMax) return "too-many";
  let at = nameStart;
  let hash = 0;
  for (; at < end && tokenBytes[bytes[at] as number] === 1; at++) hash = (hash * 31 + (bytes[at] as number)) | 0;
  if (at === end) return "more";
  if (bytes[at] !== colon || at === nameStart) return nameFault(bytes[at] as number, at === nameStart);
  scan.names[count] = headerName(bytes, nameStart, at, hash);
  at++;
  while (at < end && (bytes[at] === space || bytes[at] === tab)) at++;
  const valueStart = at;
  while (at < end && valueBytes[bytes[at] as number] === 1) at++;
  scan.at = at;
  while (at > valueStart && (bytes[at - 1] === space || bytes[at - 1] === tab)) at--;
  values[count * 2] = valueStart;
  values[count * 2 + 1] = at;
  scan.count = count + 1;
  return scanLineEnd();
}

function scanLineEnd(): FieldsScanned {
  const { bytes, end, at } = scan;
  if (at >= end) return "more";
  if (bytes[at] !== carriageReturn) return "line-end";
  if (at + 1 >= end) return "more";
  if (bytes[at + 1] !== lineFeed) return "line-end";
  scan.at = at + 2;
  return "found";
}

function nameFault(byte: number, isFirst: boolean): FieldFault {
  if (byte !== space && byte !== tab) return "bad-name";
  return isFirst ? "folded" : "spaced-name";
}
