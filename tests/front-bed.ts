/** A front with a handler that keeps what it gets, for tests that answer by hand. */
import type { BodySink, Front, FrontExchange, FrontHandler, HeaderList } from "../src/gateway/front.ts";
import { openHttpFront } from "../src/gateway/http-front.ts";
import type { HttpLimits } from "../src/gateway/http-limits.ts";
import type { Receipt } from "../src/telemetry/receipt.ts";
import { eventually } from "./eventually.ts";
import { connectRaw, type RawConnection } from "./raw-http.ts";

export interface FrontBedOptions {
  /** Default: nothing; the test answers. */
  readonly handler?: FrontHandler;
  readonly limits?: Partial<HttpLimits>;
  readonly trustedProxies?: readonly string[];
}

export class FrontBed implements AsyncDisposable {
  readonly front: Front;
  readonly port: number;
  readonly exchanges: FrontExchange[] = [];
  readonly refused: Receipt[] = [];
  readonly defects: Error[] = [];

  constructor({ handler, limits, trustedProxies }: FrontBedOptions = {}) {
    this.front = openHttpFront(
      {
        address: "127.0.0.1",
        port: 0,
        ...(limits && { limits }),
        ...(trustedProxies && { trustedProxies }),
        onRefused: (receipt) => this.refused.push(receipt),
        onDefect: (error) => this.defects.push(error),
      },
      (exchange) => {
        this.exchanges.push(exchange);
        handler?.(exchange);
      },
    );
    this.port = Number(new URL(this.front.url).port);
  }

  async connect(): Promise<RawConnection> {
    return await connectRaw(this.port);
  }

  /** The nth request that came, from 0. */
  async reached(index: number): Promise<FrontExchange> {
    return await eventually(`request ${index} comes`, () => this.exchanges[index]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.front.close();
  }
}

/** Keeps a whole body. */
export class Collected implements BodySink {
  readonly chunks: Uint8Array[] = [];
  trailers: HeaderList | undefined;
  readonly ended: Promise<"whole" | "malformed">;
  readonly #settle: (how: "whole" | "malformed") => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<"whole" | "malformed">();
    this.ended = promise;
    this.#settle = resolve;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  chunk(bytes: Uint8Array): void {
    this.chunks.push(bytes);
  }

  end(trailers?: HeaderList): void {
    this.trailers = trailers;
    this.#settle("whole");
  }

  failed(): void {
    this.#settle("malformed");
  }
}

/** Answers each request with its verb, target and body. */
export function echo(exchange: FrontExchange): void {
  const body = new Collected();
  exchange.read({
    chunk: (bytes) => body.chunk(bytes),
    end: () => exchange.respond(200, ["content-type", "text/plain"], `${exchange.method} ${exchange.target} ${body.text}`),
    failed: () => exchange.respond(400, [], "malformed"),
  });
}
