/** A request as it came in, with what the gateway has found out about it before its operation takes over. */
import type { FrontExchange } from "./front.ts";
import type { RequestTarget } from "./request-target.ts";

export interface IncomingRequest {
  readonly front: FrontExchange;
  readonly target: RequestTarget;
  /** X-Request-Id of the response. */
  readonly requestId: string;
  /** REQUEST_ID: names the exchange on the reply socket, so it is never the client's to choose. Else the same as `requestId`. */
  readonly exchangeId: string;
  /** `performance.now()` */
  readonly receivedAt: number;
}
