/** Whether an instance that serves well has to make room for a fresh one. Pure. */

/** `undefined` means: not for that reason. */
export interface RecycleLimits {
  readonly ageMs?: number;
  readonly requests?: number;
  readonly memoryBytes?: number;
}

export interface Wear {
  readonly ageMs: number;
  readonly requests: number;
  /** Of the runner; undefined: not known now. */
  readonly memoryBytes?: number | undefined;
}

/** By which limit an instance is worn out, in words; undefined: by none. */
export function wornBy({ ageMs, requests, memoryBytes = 0 }: Wear, limits: RecycleLimits): string | undefined {
  if (limits.requests !== undefined && requests >= limits.requests) return `it had served ${requests} requests (recycle.requests)`;
  if (limits.memoryBytes !== undefined && memoryBytes > limits.memoryBytes) return `it used ${memoryBytes} bytes (recycle.memory)`;
  if (limits.ageMs !== undefined && ageMs >= limits.ageMs) return `it was ${Math.round(ageMs)} ms old (recycle.age)`;
  return undefined;
}
