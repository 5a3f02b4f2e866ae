/** The status line and headers of an answer as the text that is sent. */
import { STATUS_CODES } from "node:http";
import type { HeaderList } from "./front.ts";
import { isFieldValue, isToken } from "./http-syntax.ts";

/** How the end of an answer's body is told. A number: by Content-Length. "none": it has no body, and says nothing of one. */
export type ResponseFraming = number | "chunked" | "until-close" | "none";

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
}

/** A status never has a body (RFC 9110 §6.4.1). */
export function isWithoutBody(status: number): boolean {
  return status === 204 || status === 304;
}

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    // 1xx is not an answer; the rest has three digits (RFC 9110 §15).
    if (!Number.isInteger(status) || status < 200 || status > 999) throw new RangeError(`Cannot answer with status ${status}`);
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

/** The front's own: what of them `headers` hold is left out. */
const framingNames = new Set(["content-length", "transfer-encoding", "connection", "keep-alive"]);
/** Names that were found good; bounded, because an app may make up as many as it likes. */
const goodNames = new Set<string>();
const goodNamesMax = 1_000;

function checkName(name: string): void {
  if (!isToken(name)) throw new TypeError(`Cannot send a header named ${JSON.stringify(name)}`);
  if (goodNames.size < goodNamesMax) goodNames.add(name);
}

/**
 * @param date the Date header's value.
 * @throws TypeError for a name or value, RangeError for a status, that would break the message: a defect of the caller.
 */
export function responseHead(
  { status, headers }: ResponseHead,
  framing: ResponseFraming,
  connection: "close" | "keep-alive" | "",
  date: string,
): string {
  let text = statusLine(status);
  let hasDate = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    if (!goodNames.has(name)) {
      if (framingNames.has(name.toLowerCase())) continue;
      checkName(name);
    }
    if (!isFieldValue(value))
      throw new TypeError(`Cannot send the header ${name}: its value has a control character or one beyond Latin-1`);
    if (name === "date") hasDate = true;
    text += `${name}: ${value}\r\n`;
  }
  if (!hasDate) text += `date: ${date}\r\n`;
  if (typeof framing === "number") text += `content-length: ${framing}\r\n`;
  else if (framing === "chunked") text += "transfer-encoding: chunked\r\n";
  if (connection !== "") text += `connection: ${connection}\r\n`;
  return `${text}\r\n`;
}

/** The value of a header in a list; undefined: it is not there. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return headers[index + 1];
  return undefined;
}
