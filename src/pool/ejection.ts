/** An instance that fails again and again gets no work for a while, twice as long each time. Pure. */

export interface Ejection {
  /** Work that failed on it, without any that did not between. */
  readonly failures: number;
  /** How often it was ejected, without any success since. */
  readonly times: number;
  /** `performance.now()` until when it gets no work. */
  readonly untilMs: number;
}

export const neverEjected: Ejection = { failures: 0, times: 0, untilMs: 0 };

/** Failures in a row that eject. */
export const failuresMax = 5;
/** The first time out of rotation, in ms, and the longest. */
export const ejectedMs = { first: 1_000, max: 60_000 } as const;

/** @param sound whether the instance did what it should. A function that throws does; one that does not return does not. */
export function afterWork(before: Ejection, sound: boolean, nowMs: number): Ejection {
  if (sound) return before.failures === 0 && before.times === 0 ? before : neverEjected;
  const failures = before.failures + 1;
  if (failures < failuresMax) return { ...before, failures };
  const ms = Math.min(ejectedMs.max, ejectedMs.first * 2 ** before.times);
  return { failures: 0, times: before.times + 1, untilMs: nowMs + ms };
}
