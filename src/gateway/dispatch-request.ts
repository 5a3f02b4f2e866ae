/** From a request to what its instance is told about it; the payload travels beside it. */
import { emptyRecord } from "../core/record.ts";
import type { DispatchRequest } from "./dispatch.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { HandledOperation } from "./operation.ts";
import { announcesBody } from "./request-body.ts";
import { traceContext } from "./trace-context.ts";

/**
 * @param rawParameters text of the path's parameters by name, still percent-encoded.
 * @param bytesIn length of the request's body.
 */
export function toDispatchRequest(
  incoming: IncomingRequest,
  { key, handler, contract }: HandledOperation,
  rawParameters: Readonly<Record<string, string>>,
  bytesIn: number,
): DispatchRequest {
  const { request, target, exchangeId, receivedAt } = incoming;
  const contentType = request.headers.get("content-type");
  return {
    operation: key,
    id: exchangeId,
    method: request.method,
    path: target.path,
    query: target.query,
    ...(contentType === null ? {} : { contentType }),
    ...(bytesIn > 0 || announcesBody(request.headers) ? { contentLength: bytesIn } : {}),
    parameters: decoded(rawParameters),
    deadline: Math.round(performance.timeOrigin + receivedAt + handler.inject.timeoutMs),
    ...traceContext(request.headers),
    logStdout: handler.logStdout === "always" || (handler.logStdout === "header" && request.headers.get("x-urocket-log-stdout") === "1"),
    awaitVerdict: handler.validateOut && contract !== undefined,
  };
}

function decoded(rawParameters: Readonly<Record<string, string>>): Record<string, string> {
  const parameters: Record<string, string> = emptyRecord();
  for (const [name, text] of Object.entries(rawParameters)) parameters[name] = decodeURIComponent(text);
  return parameters;
}
