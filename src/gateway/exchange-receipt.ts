/** What is recorded of an exchange when both its sides are over. */
import type { ProgramReceipt, Receipt } from "../telemetry/receipt.ts";
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
  readonly program: ProgramReceipt | undefined;
}

export function toReceipt({ incoming, operation, verdict, instance, bytesIn, bytesOut, queueMs, program }: ExchangeFacts): Receipt {
  const { request, target, requestId, exchangeId, client, receivedAt } = incoming;
  const { app, key, contract } = operation;
  const { status, error, detail } = verdict;
  return {
    requestId,
    exchangeId,
    app: app.name,
    operation: key,
    ...(contract?.operationId === undefined ? {} : { operationId: contract.operationId }),
    ...(instance === undefined ? {} : { instance }),
    method: request.method,
    path: target.path,
    ...(client === undefined ? {} : { client }),
    status,
    ...(error === undefined ? {} : { error }),
    ...(detail === undefined ? {} : { detail }),
    bytesIn,
    bytesOut,
    totalMs: performance.now() - receivedAt,
    ...(queueMs === undefined ? {} : { queueMs }),
    ...(program === undefined ? {} : { program }),
  };
}
