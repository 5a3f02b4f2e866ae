/**
 * Where client traffic comes in: HTTP/1.1. The interface is ours, so that another front can take Bun.serve's place; what
 * Bun.serve does differently from a strict server is worked around here or stated in docs/http.md.
 */

/** What a handler may ask of the connection that a request came on. */
export interface FrontConnection {
  /** The idle timeout must not cut this exchange: it has a deadline of its own. */
  holdOpen(request: Request): void;
  /** The connection may idle out again. To be called before the response of an exchange that was held open. */
  letIdle(request: Request): void;
  /** The client's address; IPv4 without the IPv6 mapping. Undefined when it is unknown. */
  clientAddress(request: Request): string | undefined;
}

export type FrontHandler = (request: Request, connection: FrontConnection) => Response | Promise<Response>;

export interface Front {
  /** "http://127.0.0.1:8080" */
  readonly url: string;
  /** Closes the listener at once and idle connections with it; open exchanges go on. Resolves when they are over. */
  drain(): Promise<void>;
  /** Closes every connection. */
  close(): Promise<void>;
}

export interface FrontOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** A failure of the handler itself: a defect. */
  failed(error: Error): Response;
}

/** How long a kept connection may be silent between exchanges. */
const idleTimeoutSeconds = 60;

/** @throws an Error with `code` EADDRINUSE, EACCES or EADDRNOTAVAIL when it cannot listen. */
export function openHttpFront(options: FrontOptions, handler: FrontHandler): Front {
  const server = Bun.serve({
    hostname: options.address,
    port: options.port,
    development: false,
    // Bun shares a port with whoever asks when `development` is off, unless told not to.
    reusePort: false,
    idleTimeout: idleTimeoutSeconds,
    // Each app's own limit is enforced as the body is read; this one must only not be in its way.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request) => handler(request, connection),
    error: (error) => options.failed(error),
  });
  const connection: FrontConnection = {
    holdOpen: (request) => server.timeout(request, 0),
    letIdle: (request) => server.timeout(request, idleTimeoutSeconds),
    clientAddress: (request) => server.requestIP(request)?.address.replace(/^::ffff:(?=\d+\.)/, ""),
  };
  const host = options.address.includes(":") ? `[${options.address}]` : options.address;
  return {
    url: `http://${host}:${server.port}`,
    drain: () => server.stop(),
    close: () => server.stop(true),
  };
}
