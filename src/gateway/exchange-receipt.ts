/** What is recorded of an exchange when both its sides are over. */
import type { Receipt } from "../telemetry/receipt.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { HandledOperation } from "./operation.ts";
import type { ProblemKind } from "./problem.ts";

/** What the client got, and why where it was not the program's reply. */
export interface Verdict {
  readonly status: number;
  readonly error?: ProblemKind;
  readonly detail?: string;
}

export interface ExchangeFacts {
  readonly incoming: IncomingRequest;
  readonly operation: HandledOperation;
  readonly verdict: Verdict;
  /** Absent: it reached none. */
  readonly instance: string | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** How long it waited for a place; absent: it never got one. */
  readonly queueMs: number | undefined;
  readonly totalMs: number;
}

/** What only some kinds of operations have; `Receipt` says of what each is. */
export type Served = Pick<Receipt, "program" | "functionMs" | "span" | "serviceMs" | "attempts" | "limit">;

export function toReceipt(
  { incoming, operation, verdict, instance, bytesIn, bytesOut, queueMs, totalMs }: ExchangeFacts,
  { program, functionMs, span, serviceMs, attempts, limit }: Served,
): Receipt {
  const { front, target, requestId, exchangeId } = incoming;
  // One shape for all receipts, and nothing spread: one is made for every request.
  return {
    requestId,
    exchangeId,
    app: operation.app.name,
    operation: operation.key,
    operationId: operation.contract?.operationId,
    instance,
    method: front.method,
    path: target.path,
    client: front.client,
    status: verdict.status,
    error: verdict.error,
    detail: verdict.detail,
    bytesIn,
    bytesOut,
    totalMs,
    queueMs,
    program,
    functionMs,
    serviceMs,
    attempts,
    limit,
    span,
  };
}
