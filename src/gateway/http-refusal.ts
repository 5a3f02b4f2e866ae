/** What the front answers itself, because a request is none, or none that it can take: it never reaches the gateway. */
import type { Problem } from "./problem.ts";

export type Refusal = Pick<Problem, "kind" | "detail" | "headers">;

export function badRequest(detail: string): Refusal {
  return { kind: "bad-request", detail };
}

export function isRefusal(value: object): value is Refusal {
  return "kind" in value && "detail" in value;
}
