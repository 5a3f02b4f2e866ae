/** What the front answers itself, because a request is none, or none that it can take: it never reaches the gateway. */
import type { ProblemKind } from "./problem.ts";

export interface Refusal {
  readonly kind: ProblemKind;
  readonly detail: string;
}

export function badRequest(detail: string): Refusal {
  return { kind: "bad-request", detail };
}

export function isRefusal(value: object): value is Refusal {
  return "kind" in value && "detail" in value;
}
