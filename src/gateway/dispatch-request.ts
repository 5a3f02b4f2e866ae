/** From a request to what its instance is told about it, for a program; the payload travels beside it. */
import type { ProgramOperation } from "../config/app.ts";
import type { DispatchRequest } from "./dispatch.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { HandledOperation } from "./operation.ts";
import { decodedParameters } from "./payload.ts";
import { traceContext } from "./trace-context.ts";

/**
 * @param rawParameters text of the path's parameters by name, still percent-encoded.
 * @param bytesIn length of the request's body.
 */
export function toDispatchRequest(
  incoming: IncomingRequest,
  { key, contract }: HandledOperation,
  handler: ProgramOperation,
  rawParameters: Readonly<Record<string, string>>,
  bytesIn: number,
): DispatchRequest {
  const { front, target, exchangeId } = incoming;
  const contentType = front.get("content-type");
  return {
    operation: key,
    id: exchangeId,
    method: front.method,
    path: target.path,
    query: target.query,
    ...(contentType === null ? {} : { contentType }),
    ...(bytesIn > 0 || front.contentLength !== undefined || front.hasBody ? { contentLength: bytesIn } : {}),
    parameters: decodedParameters(rawParameters),
    deadline: deadlineOf(incoming, handler.timeoutMs),
    ...traceContext(front),
    logStdout: handler.logStdout === "always" || (handler.logStdout === "header" && front.get("x-urocket-log-stdout") === "1"),
    awaitVerdict: handler.validateOut && contract !== undefined,
  };
}

/** Unix time in ms. */
export function deadlineOf({ receivedAt }: IncomingRequest, timeoutMs: number): number {
  return Math.round(performance.timeOrigin + receivedAt + timeoutMs);
}
