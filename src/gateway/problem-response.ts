/** Problems as the client gets them, and which problem a failure on the instance is. */
import type { FailureReason } from "./dispatch.ts";
import { type Problem, problemBody, problemMediaType, problemStatus } from "./problem.ts";

/** @param headers what the response carries besides. */
export function problemResponse(problem: Problem, headers: Headers, requestId: string): Response {
  headers.set("content-type", problemMediaType);
  headers.set("x-urocket-error", problem.kind);
  for (const [name, value] of Object.entries(problem.headers ?? {})) headers.set(name, value);
  return new Response(problemBody(problem, requestId), { status: problemStatus[problem.kind], headers });
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
