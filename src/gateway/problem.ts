/**
 * Errors that urocket itself answers: RFC 9457 problem documents. One table says which status each kind has; `detail`
 * names the limit that fired and its value.
 */
import { STATUS_CODES } from "node:http";
import type { Violation } from "../contract/contract.ts";

/** Kinds, as in `X-Urocket-Error`, with their status. */
export const problemStatus = {
  "bad-request": 400,
  "invalid-request": 400,
  "no-route": 404,
  "wrong-verb": 405,
  "not-acceptable": 406,
  "request-timeout": 408,
  "body-too-large": 413,
  "argument-too-large": 413,
  "target-too-long": 414,
  "unsupported-media-type": 415,
  "expectation-failed": 417,
  "headers-too-large": 431,
  "function-failed": 500,
  "host-failure": 500,
  "not-implemented": 501,
  "bad-reply": 502,
  "invalid-reply": 502,
  "no-reply": 502,
  "reply-aborted": 502,
  "runner-died": 502,
  "service-failed": 502,
  "spawn-failed": 502,
  draining: 503,
  "memory-full": 503,
  "no-instance": 503,
  "queue-full": 503,
  "too-many-connections": 503,
  deadline: 504,
  "version-not-supported": 505,
} as const;
export type ProblemKind = keyof typeof problemStatus;

export interface Problem {
  readonly kind: ProblemKind;
  /** For people: what happened, with names and values. Never holds secrets, stacks or paths of the host. */
  readonly detail: string;
  /** For the log alone, after `detail` and a colon: paths of the host, what its owner can do. */
  readonly advice?: string;
  readonly errors?: readonly Violation[];
  /** Headers that belong to it: Allow, Retry-After. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const problemMediaType = "application/problem+json";

/** The problem as the JSON text of RFC 9457: type "about:blank" (§4.2.1), so the title is the status's own phrase. */
export function problemBody(problem: Problem, requestId: string): string {
  const status = problemStatus[problem.kind];
  return JSON.stringify({
    type: "about:blank",
    title: STATUS_CODES[status],
    status,
    detail: problem.detail,
    kind: problem.kind,
    requestId,
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
  });
}

/** How many violations there are: "1 place", "2 places". */
export function inPlaces({ length }: readonly Violation[]): string {
  return length === 1 ? "1 place" : `${length} places`;
}

/** What the log says of a problem. */
export function logDetail({ detail, advice }: Problem): string {
  return advice === undefined ? detail : `${detail}: ${advice}`;
}
