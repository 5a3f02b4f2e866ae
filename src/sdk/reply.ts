/**
 * What a handler's result becomes on its way to the client, and the rules of its headers. Runner and testing helper share it.
 */

/** A response as the host sends it. */
export interface Reply {
  /** 200 to 599. */
  readonly status: number;
  /** Names in lower case, in order. Lists without headers of the author's own are shared between replies: never write to them. */
  readonly headers: ReplyHeaders;
  /** Text is sent as UTF-8. Undefined: there is none. */
  readonly body: string | Uint8Array | ReadableStream<Uint8Array> | undefined;
}
export type ReplyHeaders = readonly (readonly [name: string, value: string])[];

/** Headers as authors write them. Several values: one header line each. Undefined ones are left out. */
export type HeadersLike = Readonly<Record<string, string | number | readonly string[] | undefined>> | Headers;

/** RFC 9110 §5.1, §5.5: a token; visible characters, spaces and tabs, obs-text. */
const nameForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const valueForm = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Headers as they are sent.
 * @throws TypeError naming the header that HTTP cannot carry.
 */
export function readHeaders(headers: unknown): [name: string, value: string][] {
  if (headers === undefined || headers === null) return [];
  if (typeof headers !== "object" || Array.isArray(headers)) throw new TypeError(`headers must be an object, not ${shown(headers)}`);
  if (headers instanceof Headers) return [...headers];
  const list: [string, string][] = [];
  for (const name of Object.keys(headers)) {
    const value: unknown = Reflect.get(headers, name);
    if (value === undefined) continue;
    if (!nameForm.test(name)) throw new TypeError(`${shown(name)} is not a header's name`);
    const lower = name.toLowerCase();
    if (Array.isArray(value)) for (const one of value) list.push([lower, headerValue(lower, one)]);
    else list.push([lower, headerValue(lower, value)]);
  }
  return list;
}

function headerValue(name: string, value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") throw new TypeError(`The header ${name} must be text or a number, not ${shown(value)}`);
  if (!valueForm.test(value))
    throw new TypeError(`The header ${name} has characters that HTTP cannot carry: ${shown(value)}; encode it, by encodeURIComponent say`);
  return value;
}

/** A value in a message: short, with its quotes, or what it is. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (value === null || typeof value === "number" || typeof value === "boolean" || value === undefined) return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
