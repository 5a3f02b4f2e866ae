/** What is seen to before a request goes to the app's daemon: how its body gets there, and whether the contract allows it. */
import type { FrontExchange } from "./front.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { HandledOperation } from "./operation.ts";
import { refusal } from "./payload.ts";
import type { Problem } from "./problem.ts";

/** "whole": read to its end before a place is taken. "streamed": goes on as it comes. */
export type BodyWay = "none" | "whole" | "streamed";

/** Bodies that are announced to be no longer are held whole: one write sends them, and again where the first daemon fails. */
const heldBytesMax = 64 * 1024;
/** Stands for a body that is not read before: the contract looks at its media type only. */
const unread = new Uint8Array(1);

export function bodyWay(front: FrontExchange, operation: HandledOperation): BodyWay {
  if (!front.hasBody) return "none";
  if (isJudged(front, operation)) return "whole";
  const { contentLength } = front;
  // Whether the daemon wants it is asked before the client is told to send it.
  const isHeld = contentLength !== undefined && contentLength <= heldBytesMax && front.get("expect") === null;
  return isHeld ? "whole" : "streamed";
}

/** Whether the contract has a say about the body. */
function isJudged(front: FrontExchange, { contract, handler }: HandledOperation): boolean {
  return contract !== undefined && handler.validateIn !== false && !contract.isOpaque(front.get("content-type"));
}

/**
 * What the contract has against a request. The daemon gets it as it came, so it is judged as it calls itself.
 * @param body absent: there is none, or it goes on as it comes.
 */
export function contractRefusal(
  { front, target }: IncomingRequest,
  { contract, handler }: HandledOperation,
  pathParameters: Readonly<Record<string, string>>,
  body: Uint8Array | undefined,
): Problem | undefined {
  if (contract === undefined || handler.validateIn === false) return undefined;
  const given = body === undefined && front.hasBody ? unread : body;
  const read = contract.readRequest(
    { pathParameters, query: target.query, headers: front, ...(given === undefined ? {} : { body: given }) },
    { validate: true },
  );
  return read.ok ? undefined : refusal(read, { headers: front });
}

/** RFC 9110 §9.2.1: asking twice changes nothing. */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "TRACE";
}

/** RFC 9110 §9.2.2: sending it twice does the same as once. */
export function isIdempotent(method: string): boolean {
  return isSafe(method) || method === "PUT" || method === "DELETE";
}
