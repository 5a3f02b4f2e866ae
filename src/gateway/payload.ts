/**
 * From a request to what its program is given: stage two of an exchange. JSON for `encoding: json` (whatever form the
 * body came in), untouched bytes for `raw`, and an object of the parameters where there is no body.
 */
import { decodeText } from "../contract/body-text.ts";
import type { HeaderReader, ReadRequest, Violation } from "../contract/contract.ts";
import { parseMediaType } from "../contract/media-type.ts";
import { emptyRecord } from "../core/record.ts";
import { inPlaces, type Problem } from "./problem.ts";
import type { ServedOperation } from "./operation.ts";

export type Payload = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly problem: Problem };

export interface PayloadSource {
  readonly operation: ServedOperation;
  readonly headers: HeaderReader;
  /** Raw text of the path's parameters by name. */
  readonly pathParameters: Readonly<Record<string, string>>;
  readonly query: string;
  readonly body: Uint8Array | undefined;
}

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);

/** Reads, validates where the operation asks for it, and encodes. */
export function payloadOf(source: PayloadSource): Payload {
  const { operation, body } = source;
  const { handler, contract } = operation;
  const raw = handler?.kind === "program" && handler.inject.encoding === "raw";
  const validate = contract !== undefined && handler?.validateIn !== false;
  if (raw && !validate && body !== undefined) return { ok: true, bytes: body };
  if (contract === undefined) return raw && body !== undefined ? { ok: true, bytes: body } : uncontracted(source);
  const read = contract.readRequest(
    { pathParameters: source.pathParameters, query: source.query, headers: meantHeaders(source), ...(body === undefined ? {} : { body }) },
    { validate },
  );
  if (!read.ok) return { ok: false, problem: refusal(read, source) };
  if (body === undefined) return { ok: true, bytes: json(read.parameters) };
  if (raw) return { ok: true, bytes: body };
  switch (read.bodyForm) {
    case "json":
      return { ok: true, bytes: withoutMark(body) };
    case "opaque":
      return uncontractedBody(source, body);
    case "none":
      return { ok: true, bytes: body.byteLength === 0 ? json(read.parameters) : nothing };
    default:
      return { ok: true, bytes: json(read.body) };
  }
}

/** What is told of a request that the contract does not allow. */
export function refusal(read: ReadRequest & { ok: false }, source: Pick<PayloadSource, "headers">): Problem {
  if (read.kind === "unsupported-media-type") {
    const type = source.headers.get("content-type");
    // "must be application/json, got …" is said of the header that stands beside it in `errors`.
    const first = read.errors[0]?.message;
    return {
      kind: "unsupported-media-type",
      detail: first === undefined ? `The contract has no request body of type ${type ?? "(none given)"}` : `The body's type ${first}`,
      errors: read.errors,
    };
  }
  return { kind: "invalid-request", detail: `The request breaks the contract in ${inPlaces(read.errors)}`, errors: read.errors };
}

/**
 * The headers with the Content-Type that is meant: `curl -d` calls every body a form. Where the contract has no form but
 * JSON, curl's default means JSON. Only for curl itself: a browser's form must not pass for JSON (a way around CORS).
 */
export function meantHeaders({
  headers,
  operation: { contract },
  body,
}: Pick<PayloadSource, "headers" | "operation" | "body">): HeaderReader {
  if (contract === undefined || body === undefined || !isCurlDefault(headers)) return headers;
  if (contract.takesMediaType("application/x-www-form-urlencoded") || !contract.takesMediaType("application/json")) return headers;
  return { get: (name) => (name === "content-type" ? "application/json" : headers.get(name)) };
}

function isCurlDefault(headers: HeaderReader): boolean {
  return headers.get("content-type") === "application/x-www-form-urlencoded" && headers.get("user-agent")?.startsWith("curl/") === true;
}

/** Without a contract nothing is typed: parameters are strings, a body is what its media type says. */
function uncontracted(source: PayloadSource): Payload {
  if (source.body !== undefined && source.body.byteLength > 0) return uncontractedBody(source, source.body);
  return { ok: true, bytes: json(textParameters(source)) };
}

/** Without a contract names come from anywhere: an object without a prototype keeps `__proto__` a name like any other. */
function textParameters({ pathParameters, query }: PayloadSource): Record<string, string | string[]> {
  return Object.assign(textQuery(query), decodedParameters(pathParameters));
}

/** Each name's value, or values where it is there several times. */
export function textQuery(query: string): Record<string, string | string[]> {
  const parameters: Record<string, string | string[]> = emptyRecord();
  addFields(parameters, new URLSearchParams(query));
  return parameters;
}

export function decodedParameters(raw: Readonly<Record<string, string>>): Record<string, string> {
  const parameters: Record<string, string> = emptyRecord();
  for (const [name, value] of Object.entries(raw)) parameters[name] = decodeURIComponent(value);
  return parameters;
}

function addFields(target: Record<string, string | string[]>, fields: URLSearchParams): void {
  for (const [name, value] of fields) {
    const held = target[name];
    if (held === undefined) target[name] = value;
    else if (Array.isArray(held)) held.push(value);
    else target[name] = [held, value];
  }
}

function uncontractedBody({ headers }: PayloadSource, body: Uint8Array): Payload {
  const type = headers.get("content-type") ?? "";
  const essence = (type.split(";", 1)[0] ?? "").trim().toLowerCase();
  if (essence === "" || essence === "application/json" || essence.endsWith("+json") || isCurlDefault(headers)) {
    const problem = jsonProblem(body);
    if (problem === undefined) return { ok: true, bytes: withoutMark(body) };
    if (!isCurlDefault(headers)) return { ok: false, problem };
  }
  if (essence === "application/x-www-form-urlencoded") {
    const fields: Record<string, string | string[]> = emptyRecord();
    addFields(fields, new URLSearchParams(new TextDecoder().decode(body)));
    return { ok: true, bytes: json(fields) };
  }
  if (essence.startsWith("text/") && essence !== "text/xml") return textPayload(body, type);
  const detail = `A body of type ${type.slice(0, 100)} cannot be given to the program as JSON; send JSON, or let the operation say "encoding: raw"`;
  return { ok: false, problem: { kind: "unsupported-media-type", detail } };
}

function textPayload(body: Uint8Array, type: string): Payload {
  const decoded = decodeText(body, parseMediaType(type)?.parameters.get("charset"));
  if (decoded.ok) return { ok: true, bytes: json(decoded.text) };
  return { ok: false, problem: unreadableBody("The request's body is not the text that its Content-Type announces", decoded.errors) };
}

function unreadableBody(detail: string, errors: readonly Violation[]): Problem {
  return { kind: "invalid-request", detail, errors };
}

/** What is wrong with a body that should be JSON. */
export function jsonProblem(body: Uint8Array): Problem | undefined {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return undefined;
  } catch (error) {
    const message = error instanceof SyntaxError ? error.message : "not UTF-8";
    return unreadableBody("The request's body is not JSON", [{ in: "body", path: "$", message: `is not JSON: ${message}` }]);
  }
}

/** A byte order mark is no part of a JSON text (RFC 8259 §8.1). */
export function withoutMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

function json(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}
