/**
 * The data plane's entry: every request comes through `handle`. It finds the operation, starts the exchange, and answers
 * itself what needs neither place nor instance. Routes are replaced whole, by reference; exchanges keep what they began with.
 */
import { Ticker } from "../core/ticker.ts";
import type { Log } from "../telemetry/receipt.ts";
import { BodyBudget } from "./body-budget.ts";
import { Exchange, type ExchangeContext } from "./exchange.ts";
import type { FrontConnection } from "./http-front.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import { isHandled, type ServedOperation } from "./operation.ts";
import { type Problem, problemStatus } from "./problem.ts";
import { problemResponse } from "./problem-response.ts";
import { announcesBody } from "./request-body.ts";
import { readTarget } from "./request-target.ts";
import { type RouteMatch, Router } from "./router.ts";

export interface GatewayOptions {
  readonly log: Log;
  /** Whether responses carry `Server-Timing`. */
  readonly timing: boolean;
}

/** Bodies held in memory, all exchanges together. */
const bodyBytesHeldMax = 256 * 1024 * 1024;
/** Ids that are safe to log, to send back and to hand to programs; anything else gets a new one. */
const saneRequestId = /^[A-Za-z0-9._:+/=@-]{1,128}$/;

export class Gateway {
  readonly #context: ExchangeContext;
  readonly #open = new Set<Exchange>();
  #router: Router<ServedOperation> = new Router([]);
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#context = { log: options.log, timing: options.timing, ticker: new Ticker(), budget: new BodyBudget(bodyBytesHeldMax) };
  }

  /** From the next request on. */
  route(router: Router<ServedOperation>): void {
    this.#router = router;
  }

  handle(request: Request, connection: FrontConnection): Response | Promise<Response> {
    const receivedAt = performance.now();
    const target = readTarget(request.url, request.headers.get("host"));
    const brought = request.headers.get("x-request-id");
    const exchangeId = crypto.randomUUID();
    const requestId = brought !== null && saneRequestId.test(brought) ? brought : exchangeId;
    const incoming: IncomingRequest = {
      request,
      connection,
      requestId,
      exchangeId,
      receivedAt,
      client: connection.clientAddress(request),
      target: target ?? { host: undefined, path: "/", query: "" },
    };
    if (target === undefined)
      return this.#answer(incoming, { kind: "bad-request", detail: "The Host header is not a host name or address" });
    if (this.#draining) {
      return this.#answer(incoming, {
        kind: "draining",
        detail: "The host is stopping",
        headers: { "Retry-After": "5", Connection: "close" },
      });
    }
    return this.#serve(incoming, this.#router.match(target.host, target.path, request.method));
  }

  /** From here new requests are refused; resolves when no exchange is open. */
  drain(): Promise<void> {
    this.#draining = true;
    return new Promise((resolve) => {
      if (this.#open.size === 0) resolve();
      else this.#idle = resolve;
    });
  }

  /** Ends every open exchange. */
  abort(): void {
    for (const exchange of this.#open) exchange.abort();
  }

  close(): void {
    this.#context.ticker.close();
  }

  /** Exchanges that are not over yet, programs that outlive their reply included. */
  get exchangesOpen(): number {
    return this.#open.size;
  }

  #serve(incoming: IncomingRequest, match: RouteMatch<ServedOperation>): Response | Promise<Response> {
    const { method, headers } = incoming.request;
    switch (match.found) {
      case "bad-path":
        return this.#answer(incoming, { kind: "bad-request", detail: "The path has a percent-encoding that cannot be decoded" });
      case "nothing":
        return this.#answer(incoming, { kind: "no-route", detail: `There is no operation at ${shortened(incoming.target.path)}` });
      case "path":
        return this.#wrongVerb(incoming, match.allow);
      case "operation":
    }
    const { operation, values } = match;
    if (!isHandled(operation)) {
      return this.#answer(
        incoming,
        { kind: "not-implemented", detail: `The contract has ${operation.key}, but no handler serves it` },
        operation,
      );
    }
    const { handler, contract } = operation;
    if ((method === "GET" || method === "HEAD") && announcesBody(headers) && headers.get("content-length") !== "0") {
      // The HTTP parser drops it; better refused than lost.
      return this.#answer(incoming, { kind: "bad-request", detail: `A ${method} request cannot have a body here` }, operation);
    }
    if (contract !== undefined && handler.validateIn !== false) {
      const accept = headers.get("accept");
      if (accept !== null && accept !== "*/*" && !contract.canProduce(accept)) {
        return this.#answer(
          incoming,
          { kind: "not-acceptable", detail: `The contract has no reply that "${shortened(accept)}" accepts` },
          operation,
        );
      }
    }
    const exchange = new Exchange(this.#context, incoming, operation, values, this.#over);
    this.#open.add(exchange);
    return exchange.run();
  }

  readonly #over = (exchange: Exchange): void => {
    this.#open.delete(exchange);
    if (this.#open.size === 0) this.#idle?.();
  };

  #wrongVerb(incoming: IncomingRequest, allow: readonly string[]): Response {
    const { method } = incoming.request;
    const headers = { Allow: allow.join(", ") };
    if (method === "OPTIONS") {
      const response = new Response(null, { status: 204, headers: { ...headers, "x-request-id": incoming.requestId } });
      this.#record(incoming, 204, {});
      return response;
    }
    const detail = `${shortened(incoming.target.path)} has no ${shortened(method)}, it has ${allow.join(", ")}`;
    return this.#answer(incoming, { kind: "wrong-verb", detail, headers });
  }

  #answer(incoming: IncomingRequest, problem: Problem, operation?: ServedOperation): Response {
    this.#record(incoming, problemStatus[problem.kind], {
      error: problem.kind,
      detail: problem.detail,
      ...(operation && { app: operation.app.name, operation: operation.key }),
    });
    return problemResponse(problem, new Headers({ "x-request-id": incoming.requestId }), incoming.requestId);
  }

  #record(incoming: IncomingRequest, status: number, more: { error?: string; detail?: string; app?: string; operation?: string }): void {
    const { requestId, request, target, client, receivedAt } = incoming;
    this.#context.log.exchange({
      requestId,
      // No program was given one.
      exchangeId: requestId,
      method: request.method,
      path: target.path,
      ...(client === undefined ? {} : { client }),
      status,
      bytesIn: 0,
      bytesOut: 0,
      totalMs: performance.now() - receivedAt,
      ...more,
    });
  }
}

function shortened(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
