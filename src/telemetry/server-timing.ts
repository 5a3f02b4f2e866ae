/**
 * The `Server-Timing` header (W3C Server Timing §3) of an exchange, so that a browser's developer tools or curl show
 * where a request's time went. When the header is sent the exchange is not over: what is not known yet is left out.
 */

/** Times of an exchange in ms, as far as they are known. A `Receipt` is one. */
export interface KnownTimes {
  readonly queueMs?: number | undefined;
  readonly totalMs?: number | undefined;
  readonly functionMs?: number | undefined;
  readonly serviceMs?: number | undefined;
  readonly program?:
    | {
        readonly waitMs?: number | undefined;
        readonly spawnMs?: number | undefined;
        readonly runMs?: number | undefined;
        readonly replyMs?: number | undefined;
      }
    | undefined;
}

/** `queue;dur=0.12, wait;dur=0, spawn;dur=1.1, run;dur=9.8`; empty when nothing is known. Microseconds are the finest that is told. */
export function serverTiming({ queueMs, totalMs, functionMs, serviceMs, program }: KnownTimes): string {
  const steps = [
    ["queue", queueMs],
    ["wait", program?.waitMs],
    ["spawn", program?.spawnMs],
    ["run", program?.runMs],
    ["reply", program?.replyMs],
    ["function", functionMs],
    ["service", serviceMs],
    ["total", totalMs],
  ] as const;
  const metrics: string[] = [];
  for (const [name, ms] of steps) {
    if (ms !== undefined) metrics.push(`${name};dur=${Math.round(ms * 1000) / 1000}`);
  }
  return metrics.join(", ");
}
