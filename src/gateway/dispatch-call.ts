/**
 * From a request to a function's call: read by the contract, typed, or refused. Bodies that the contract can judge are read whole
 * before; what it has nothing to say about goes on as it comes.
 */
import type { FunctionOperation } from "../config/app.ts";
import type { HeaderReader } from "../contract/contract.ts";
import type { DispatchCall } from "./dispatch.ts";
import { deadlineOf } from "./dispatch-request.ts";
import type { HeaderList } from "./front.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { HandledOperation } from "./operation.ts";
import { decodedParameters, jsonProblem, meantHeaders, refusal, textQuery, withoutMark } from "./payload.ts";
import type { Problem } from "./problem.ts";
import { traceContext } from "./trace-context.ts";

export type PreparedCall =
  | { readonly ok: true; readonly call: DispatchCall; readonly body: Uint8Array }
  | { readonly ok: false; readonly problem: Problem };

export interface CallSource {
  readonly incoming: IncomingRequest;
  readonly operation: HandledOperation;
  readonly handler: FunctionOperation;
  /** Raw text of the path's parameters by name. */
  readonly pathParameters: Readonly<Record<string, string>>;
  /** Absent: the request has none, or it is streamed. */
  readonly body: Uint8Array | undefined;
}

const nothing = new Uint8Array(0);
/** Stands for a body that is not read before: the contract looks at its media type only. */
const unread = new Uint8Array(1);
const encoder = new TextEncoder();

/** A Fetch handler reads the body itself, in the form that it came in. */
function wantsOriginal({ app, call }: HandledOperation): boolean {
  return call !== undefined && app.dispatch.isFetch(call);
}

/** Whether the request's body is handed on as it comes: the contract, or its absence, leaves it to the function. */
export function isStreamed({ incoming: { front }, operation }: Pick<CallSource, "incoming" | "operation">): boolean {
  if (!front.hasBody) return false;
  const { contract } = operation;
  if (contract !== undefined) return contract.isOpaque(meantHeaders({ headers: front, operation, body: unread }).get("content-type"));
  return wantsOriginal(operation) || !isJson(front);
}

/** Reads and validates a request for its function. */
export function prepareCall(source: CallSource): PreparedCall {
  const { incoming, operation, handler, pathParameters, body } = source;
  const { front, target } = incoming;
  const { contract } = operation;
  const streamed = body === undefined && front.hasBody;
  if (contract === undefined) return uncontracted(source, streamed);
  const given = streamed ? unread : body;
  const headers = meantHeaders({ headers: front, operation, body: given });
  const read = contract.readRequest(
    given === undefined ? { pathParameters, query: target.query, headers } : { pathParameters, query: target.query, headers, body: given },
    { validate: handler.validateIn !== false },
  );
  if (!read.ok) return { ok: false, problem: refusal(read, { headers }) };
  const { path, query, header } = read.located;
  const values = { params: some(path), queryValues: some(query), headerValues: some(header) };
  if (given === undefined) return prepared(source, values, undefined, nothing);
  if (streamed) return prepared(source, values, "bytes", nothing);
  const original = body ?? nothing;
  switch (read.bodyForm) {
    case "json":
      return prepared(source, values, "json", withoutMark(original));
    case "none":
      return prepared(source, values, undefined, nothing);
    case "opaque":
      return prepared(source, values, "bytes", original);
    default:
      return wantsOriginal(operation)
        ? prepared(source, values, "bytes", original)
        : prepared(source, values, "json", encoder.encode(JSON.stringify(read.body)));
  }
}

function uncontracted(source: CallSource, streamed: boolean): PreparedCall {
  const { incoming, operation, pathParameters, body } = source;
  const { front, target } = incoming;
  const values = {
    params: some(decodedParameters(pathParameters)),
    queryValues: target.query === "" ? undefined : textQuery(target.query),
    headerValues: undefined,
  };
  if (streamed) return prepared(source, values, "bytes", nothing);
  if (body === undefined) return prepared(source, values, undefined, nothing);
  if (wantsOriginal(operation) || !isJson(front)) return prepared(source, values, "bytes", body);
  const problem = jsonProblem(body);
  return problem === undefined ? prepared(source, values, "json", withoutMark(body)) : { ok: false, problem };
}

interface Values {
  readonly params: Readonly<Record<string, unknown>> | undefined;
  readonly queryValues: Readonly<Record<string, unknown>> | undefined;
  readonly headerValues: Readonly<Record<string, unknown>> | undefined;
}

function prepared(
  { incoming, operation, handler }: CallSource,
  values: Values,
  form: "json" | "bytes" | undefined,
  body: Uint8Array,
): PreparedCall {
  const { front, target, requestId } = incoming;
  const { traceparent, tracestate } = traceContext(front);
  const call: DispatchCall = {
    call: operation.call ?? 0,
    id: requestId,
    method: front.method,
    path: target.path,
    query: target.query,
    host: front.host ?? "",
    proto: front.proto === "https" ? front.proto : undefined,
    headers: endToEnd(front.headers),
    params: values.params,
    queryValues: values.queryValues,
    headerValues: values.headerValues,
    body: form,
    deadline: deadlineOf(incoming, handler.timeoutMs),
    client: front.client,
    traceparent,
    tracestate,
  };
  return { ok: true, call, body };
}

/** Undefined where there is none. */
function some(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  for (const _ in values) return values;
  return undefined;
}

function isJson(headers: HeaderReader): boolean {
  const essence = ((headers.get("content-type") ?? "").split(";", 1)[0] ?? "").trim().toLowerCase();
  return essence === "application/json" || essence.endsWith("+json");
}

/** RFC 9110 §7.6.1, and `Expect`, which has been answered. */
const hopByHop = new Set(["connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]);

/**
 * Without what was said to this hop alone. What `Connection` names besides is kept: this is the last hop, and a client could
 * take away with it what a proxy in front has added (an address, a user).
 */
function endToEnd(headers: HeaderList): HeaderList {
  for (let at = 0; at < headers.length; at += 2) if (hopByHop.has(headers[at] ?? "")) return withoutHops(headers);
  return headers;
}

function withoutHops(headers: HeaderList): HeaderList {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? "";
    if (!hopByHop.has(name)) kept.push(name, headers[at + 1] ?? "");
  }
  return kept;
}
