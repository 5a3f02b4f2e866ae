/** Everything of a connection that could grow or last, with its maximum. Those that operators or tests may want otherwise are in `HttpLimits`. */

/** A request's head with its empty last line. */
export const headBytesMax = 16 * 1024;
/** A request target as it was sent. */
export const targetBytesMax = 8 * 1024;
/** The longest method that is registered has 17 letters. */
export const methodBytesMax = 32;
export const headerLinesMax = 100;

/** A daemon's reply's head with its empty last line. */
export const replyHeadBytesMax = 128 * 1024;
export const replyHeaderLinesMax = 512;
/** Answers before the answer (RFC 9110 §15.2): more of them than anybody has a use for. */
export const interimRepliesMax = 16;

/** How much of a body that nobody reads is skipped to keep the connection. */
export const skippedBytesMax = 256 * 1024;
/** What a client may send ahead of the answer that it waits for; then it is made to wait. One read of the socket may come on top. */
export const aheadBytesMax = 64 * 1024;

export interface HttpLimits {
  /** Open connections; more are answered 503. */
  readonly connectionsMax: number;
  /** From a request head's first byte to its last, in ms. */
  readonly headMs: number;
  /** Silence between two exchanges of a connection, in ms. */
  readonly idleMs: number;
  /** How long a client may take nothing of an answer that is whole, in ms. */
  readonly stalledMs: number;
  /** Bytes of whole answers that wait for their clients, all together; over it those that wait for longest are cut off. */
  readonly unsentBytesMax: number;
  /** How long the rest of a request is read after its answer was the connection's last, so that the client gets to see it, in ms. */
  readonly lingerMs: number;
  /** How often connections are looked at, in ms: each of the above is exceeded by up to twice that. */
  readonly sweepMs: number;
}

export const httpLimits: HttpLimits = {
  connectionsMax: 16_384,
  headMs: 10_000,
  idleMs: 60_000,
  stalledMs: 30_000,
  unsentBytesMax: 256 * 1024 * 1024,
  lingerMs: 5_000,
  sweepMs: 1_000,
};

/**
 * So many connections that a flood of them leaves a quarter of the descriptors for everything else: without any left no instance
 * can be started, or cleaned up after.
 * @param openFilesMax descriptors that the process may have; undefined: as many as it likes.
 */
export function connectionsWithin(openFilesMax: number | undefined): number {
  return Math.min(httpLimits.connectionsMax, Math.floor((openFilesMax ?? Infinity) * 0.75));
}
