/**
 * What the gateway needs of whatever accepts HTTP: an exchange at a time, read and answered through an interface without
 * web-standard objects, because those are what an HTTP server in JavaScript spends its time on.
 */

/** Names in lower case and values, one after the other. */
export type HeaderList = readonly string[];

export interface Front {
  /** "http://127.0.0.1:8080" */
  readonly url: string;
  /** Closes the listener at once and idle connections with it; open exchanges go on, each connection's last. Resolves when they are over. */
  drain(): Promise<void>;
  /** Closes every connection. */
  close(): Promise<void>;
}

/** Called once for each request whose head is whole and well formed. It answers now or later, and must not throw. */
export type FrontHandler = (exchange: FrontExchange) => void;

/** A request with its response. What is given to it after the client has left does nothing. */
export interface FrontExchange {
  /** As sent; a token (RFC 9110 §9.1). */
  readonly method: string;
  /** Path and query as sent, in origin-form: "/pets?limit=1". "*" for OPTIONS *. */
  readonly target: string;
  /**
   * What the client asked for: the Host header, the authority of an absolute-form target, or what a trusted proxy says that it was.
   * Undefined: HTTP/1.0 without one.
   */
  readonly host: string | undefined;
  /**
   * Every header as it came, names in lower case; "host" is never a proxy's word. Of `Forwarded` and `X-Forwarded-*` there is what
   * trusted proxies have written, and nothing of anybody else.
   */
  readonly headers: HeaderList;
  /**
   * The client's address; IPv4 without the IPv6 mapping. Behind trusted proxies it may be "unknown" or an obfuscated name ("_abc",
   * RFC 7239 §6). Undefined on a unix socket.
   */
  readonly client: string | undefined;
  /** What the client spoke: TLS ends at a trusted proxy. */
  readonly proto: "http" | "https";
  /**
   * `Forwarded` and `X-Forwarded-For`, `-Proto`, `-Host` as whoever comes behind us should be told of the request, the peer appended
   * to the trusted ones. The same list for all requests of a connection that say the same.
   */
  readonly forwarding: HeaderList;
  /** Whether a body follows: Content-Length above 0 or Transfer-Encoding. */
  readonly hasBody: boolean;
  /** The announced Content-Length; undefined: none, or chunked. */
  readonly contentLength: number | undefined;

  /**
   * The protocols that the client would switch to: its `Upgrade`, where `Connection` names it, over HTTP/1.1, of a request without a
   * body. Those that are HTTP or TLS again are left out: whoever switched to one would go on asking where nobody looks.
   */
  readonly upgrade: string | undefined;

  /** All values of a header, joined by ", " (RFC 9110 §5.3); null: there is none. @param name in lower case. */
  get(name: string): string | null;

  /**
   * Starts to read the body (and answers `Expect: 100-continue`). What has arrived already is told before it returns. A body that
   * nobody reads is skipped, or ends the connection when it is long.
   */
  read(sink: BodySink): void;
  /** No more chunks until `resume`; the client is made to wait. */
  pause(): void;
  resume(): void;

  /** Answers whole. Content-Length, Date and Connection are added. The body is dropped where HTTP has none (HEAD, 204, 304). */
  respond(status: number, headers: HeaderList, body?: Uint8Array | string): void;
  /**
   * Tells the client something before the answer: 103 Early Hints (RFC 8297). Not to HTTP/1.0 (RFC 9110 §15.2), and not when an
   * answer has begun.
   * @param status 102 to 199: 100 is told by `read`, 101 by `switchProtocols`.
   */
  inform(status: number, headers: HeaderList): void;
  /**
   * Answers 101 and hands the connection over (RFC 9110 §7.8): from now on its bytes are the tunnel's. Only for a request that
   * asked for it (`upgrade` is not undefined) and has not been answered. `onClosed` of the exchange is not called any more.
   * @param headers with the `upgrade` that was agreed on; without: the client's own.
   */
  switchProtocols(headers: HeaderList): FrontTunnel;
  /** Begins an answer that is written piece by piece, chunked or with the Content-Length that `headers` hold. */
  begin(status: number, headers: HeaderList): void;
  /** False: the client is slow; wait for `onWritable`. */
  write(chunk: Uint8Array): boolean;
  /** @param trailers told after a chunked body (RFC 9112 §7.1.2), where the client said `TE: trailers`. */
  end(trailers?: HeaderList): void;
  /** Ends the connection in the midst of an answer, so that the client does not take half for whole. */
  breakOff(): void;

  /** Called when a `write` that returned false has gone to the kernel. */
  onWritable: (() => void) | undefined;
  /** Called once when the client is gone before the answer was whole. */
  onClosed: (() => void) | undefined;
}

export interface BodySink {
  /** Bytes that nobody writes to again. */
  chunk(bytes: Uint8Array): void;
  /** @param trailers of a chunked body; undefined: there are none. */
  end(trailers?: HeaderList): void;
  /** The body cannot be read any further: "malformed" chunks; when the client is gone `onClosed` tells. */
  failed(reason: "malformed"): void;
}

/** A connection that is no longer HTTP. A front that drains waits for it; nothing but its two ends ends it. */
export interface FrontTunnel {
  /** False: the client is slow; wait for `onWritable`. */
  write(chunk: Uint8Array): boolean;
  /** Half-closes it, when all that was written has gone: nothing more is written. */
  end(): void;
  /** Closes it at once. */
  close(): void;
  /** No more `onData` until `resume`; the client is made to wait. */
  pause(): void;
  resume(): void;
  /** To be set at once: bytes that came behind the request are told by it. */
  onData: ((chunk: Uint8Array) => void) | undefined;
  /** The client has half-closed. */
  onEnd: (() => void) | undefined;
  onWritable: (() => void) | undefined;
  /** It is over, once: both sides have ended and all has gone to the kernel, or it broke, or `close` was called. */
  onClosed: (() => void) | undefined;
}
