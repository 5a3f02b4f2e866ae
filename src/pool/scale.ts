/** How many instances a pool should have: decided here, from values; started and stopped by the pool. */

export interface ScaleLimits {
  /** Kept, however idle. */
  readonly min: number;
  readonly max: number;
  /** An instance without an exchange for so long is stopped, in ms. */
  readonly idleMs: number;
}

export interface ScaledInstance {
  /** Exchanges under way on it. */
  readonly open: number;
  /** For how long it has had none, in ms; 0 while it has one. */
  readonly idleMs: number;
}

export interface ScaleView<Instance extends ScaledInstance> {
  readonly ready: readonly Instance[];
  /** Instances that are on their way. */
  readonly starting: number;
  /** Exchanges that no instance has taken. */
  readonly waiting: number;
}

export interface ScaleDecision<Instance> {
  /** To be started. */
  readonly start: number;
  /** To be stopped: the longest idle first. */
  readonly stop: readonly Instance[];
}

/** An instance is added when the least busy one has so many exchanges open: a single one is not worth a process. */
const busyExchanges = 2;

export function decide<Instance extends ScaledInstance>(
  { ready, starting, waiting }: ScaleView<Instance>,
  limits: ScaleLimits,
): ScaleDecision<Instance> {
  const count = ready.length + starting;
  const missing = limits.min - count;
  if (missing > 0) return { start: missing, stop: [] };
  const wanted = ready.length === 0 ? waiting > 0 : ready.every((instance) => instance.open >= busyExchanges);
  // One at a time: by when it is ready, it may be enough.
  if (wanted && starting === 0 && count < limits.max) return { start: 1, stop: [] };
  const idle = ready.filter((instance) => instance.open === 0 && instance.idleMs >= limits.idleMs);
  const longestFirst = idle.toSorted((a, b) => b.idleMs - a.idleMs);
  return { start: 0, stop: longestFirst.slice(0, Math.max(0, count - limits.min)) };
}
