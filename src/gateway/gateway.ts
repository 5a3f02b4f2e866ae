/**
 * The data plane's entry: every request comes through `handle`. It finds the operation, starts the exchange, and answers
 * itself what needs neither place nor instance. Routes are replaced whole, by reference; exchanges keep what they began with.
 */
import { Ticker } from "../core/ticker.ts";
import type { Log } from "../telemetry/receipt.ts";
import { BodyBudget } from "./body-budget.ts";
import type { FrontExchange } from "./front.ts";
import { HandedExchange } from "./handed-exchange.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import { OpenExchanges } from "./open-exchanges.ts";
import { isHandled, type ServedOperation } from "./operation.ts";
import type { Pages } from "./pages.ts";
import { type Problem, problemBody, problemStatus } from "./problem.ts";
import { respondProblem } from "./problem-response.ts";
import { readTarget } from "./request-target.ts";
import { type RouteMatch, Router } from "./router.ts";
import { type ServiceContext, ServiceExchange } from "./service-exchange.ts";
import { UpstreamConnections } from "./upstream-connections.ts";

export interface GatewayOptions {
  readonly log: Log;
  /** Whether responses carry `Server-Timing`. */
  readonly timing: boolean;
  /** The host's own pages; they come before the apps'. */
  readonly pages?: Pages | undefined;
}

/** Bodies held in memory, all exchanges together. */
const bodyBytesHeldMax = 256 * 1024 * 1024;
/** Ids that are safe to log, to send back and to hand to programs; anything else gets a new one. */
const saneRequestId = /^[A-Za-z0-9._:+/=@-]{1,128}$/;

export class Gateway {
  readonly #context: ServiceContext;
  readonly #pages: Pages | undefined;
  readonly #ticker = new Ticker();
  readonly #open = new OpenExchanges(this.#ticker);
  #router: Router<ServedOperation> = new Router([]);
  #draining = false;

  constructor({ log, timing, pages }: GatewayOptions) {
    this.#context = { log, timing, open: this.#open, budget: new BodyBudget(bodyBytesHeldMax), upstreams: new UpstreamConnections() };
    this.#pages = pages;
  }

  /** From the next request on. */
  route(router: Router<ServedOperation>): void {
    this.#router = router;
  }

  /** Takes a request, and sees to it that it is answered. */
  readonly handle = (front: FrontExchange): void => {
    const receivedAt = performance.now();
    const brought = front.get("x-request-id");
    const exchangeId = crypto.randomUUID();
    const requestId = brought !== null && saneRequestId.test(brought) ? brought : exchangeId;
    const target = readTarget(front.target, front.host);
    const incoming: IncomingRequest = { front, target, requestId, exchangeId, receivedAt };
    if (this.#draining) {
      const headers = { "Retry-After": "5", Connection: "close" };
      return this.#answer(incoming, { kind: "draining", detail: "The host is stopping", headers });
    }
    const page = this.#pages?.(target.path);
    if (page !== undefined) return front.respond(page.status, [...page.headers, "x-request-id", requestId], page.body);
    this.#serve(incoming, this.#router.match(target.host, target.path, front.method));
  };

  /** From here new requests are refused; resolves when no exchange is open. */
  drain(): Promise<void> {
    this.#draining = true;
    return this.#open.none();
  }

  /** Ends every open exchange. */
  abort(): void {
    this.#open.abort();
  }

  close(): void {
    this.#ticker.close();
    this.#context.upstreams.close();
  }

  /** Exchanges that are not over yet, programs that outlive their reply included. */
  get exchangesOpen(): number {
    return this.#open.count;
  }

  #serve(incoming: IncomingRequest, match: RouteMatch<ServedOperation>): void {
    switch (match.found) {
      case "bad-path":
        return this.#answer(incoming, { kind: "bad-request", detail: "The path has a percent-encoding that cannot be decoded" });
      case "nothing":
        return this.#nothing(incoming);
      case "path":
        return this.#wrongVerb(incoming, match.allow);
      case "operation":
    }
    const { operation, values } = match;
    if (!isHandled(operation)) {
      const detail = `The contract has ${operation.key}, but no handler serves it`;
      return this.#answer(incoming, { kind: "not-implemented", detail }, operation);
    }
    const { handler, contract } = operation;
    if (contract !== undefined && handler.validateIn !== false) {
      const accept = incoming.front.get("accept");
      if (accept !== null && accept !== "*/*" && !contract.canProduce(accept)) {
        const detail = `The contract has no reply that "${shortened(accept)}" accepts`;
        return this.#answer(incoming, { kind: "not-acceptable", detail }, operation);
      }
    }
    if (handler.kind === "service") new ServiceExchange(this.#context, incoming, operation, values).run();
    else new HandedExchange(this.#context, incoming, operation, values).run();
  }

  #nothing(incoming: IncomingRequest): void {
    const { front, target, requestId } = incoming;
    // OPTIONS * asks the host itself (RFC 9110 §9.3.7).
    if (target.path !== "*")
      return this.#answer(incoming, { kind: "no-route", detail: `There is no operation at ${shortened(target.path)}` });
    front.respond(204, ["x-request-id", requestId]);
    this.#record(incoming, { status: 204, bytesOut: 0 });
  }

  #wrongVerb(incoming: IncomingRequest, allow: readonly string[]): void {
    const { front, target, requestId } = incoming;
    const allowed = allow.join(", ");
    if (front.method === "OPTIONS") {
      front.respond(204, ["allow", allowed, "x-request-id", requestId]);
      return this.#record(incoming, { status: 204, bytesOut: 0 });
    }
    const detail = `${shortened(target.path)} has no ${shortened(front.method)}, it has ${allowed}`;
    this.#answer(incoming, { kind: "wrong-verb", detail, headers: { Allow: allowed } });
  }

  #answer(incoming: IncomingRequest, problem: Problem, operation?: ServedOperation): void {
    const { front, requestId } = incoming;
    const body = problemBody(problem, requestId);
    respondProblem(front, problem, body, ["x-request-id", requestId]);
    const bytesOut = front.method === "HEAD" ? 0 : Buffer.byteLength(body);
    this.#record(incoming, { status: problemStatus[problem.kind], bytesOut, problem, operation });
  }

  #record({ requestId, front, target, receivedAt }: IncomingRequest, { status, bytesOut, problem, operation }: OwnAnswer): void {
    this.#context.log.exchange({
      requestId,
      // Nothing was given one.
      exchangeId: requestId,
      app: operation?.app.name,
      operation: operation?.key,
      method: front.method,
      path: target.path,
      client: front.client,
      status,
      error: problem?.kind,
      detail: problem?.detail,
      bytesIn: 0,
      bytesOut,
      totalMs: performance.now() - receivedAt,
    });
  }
}

/** What the gateway has answered itself. */
interface OwnAnswer {
  readonly status: number;
  readonly bytesOut: number;
  readonly problem?: Problem;
  readonly operation?: ServedOperation | undefined;
}

function shortened(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
