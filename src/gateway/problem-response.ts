/** Problems as the client gets them, and which problem a failure on the instance is. */
import type { FailureReason } from "./dispatch.ts";
import type { FrontExchange } from "./front.ts";
import { type Problem, problemMediaType, problemStatus } from "./problem.ts";

/**
 * @param body the problem's, by `problemBody`.
 * @param headers what the response carries besides: names in lower case and values.
 */
export function respondProblem(front: FrontExchange, problem: Problem, body: string, headers: readonly string[]): void {
  const all = ["content-type", problemMediaType, "x-urocket-error", problem.kind, ...headers];
  for (const [name, value] of Object.entries(problem.headers ?? {})) all.push(name.toLowerCase(), value);
  front.respond(problemStatus[problem.kind], all, body);
}

export function failureProblem(reason: FailureReason, detail: string): Problem {
  switch (reason) {
    case "overloaded":
      return { kind: "queue-full", detail, headers: { "Retry-After": "1" } };
    case "no-instance":
      return { kind: "no-instance", detail, headers: { "Retry-After": "1" } };
    default:
      return { kind: reason, detail };
  }
}
