/**
 * The few statistics that the bench's claims rest on: medians of rounds, and ratios of runs that were made side by side,
 * because on a shared machine only these survive its drift.
 */

/** The middle value; of an even number of values the mean of the middle two. @throws RangeError when there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError("Cannot take the median of no values");
  return (lower + upper) / 2;
}

/** By nearest rank; `part` is between 0 and 1. @throws RangeError when there are no values. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  if (value === undefined) throw new RangeError("Cannot take a percentile of no values");
  return value;
}

/** What several rounds of one figure came to. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * Of runs made in pairs (a[i] beside b[i]): the spread of a[i] / b[i]. The median of ratios, not the ratio of medians: a
 * machine that was slow for one pair was slow for both of it.
 *
 * @throws RangeError when the lists differ in length, are empty, or a divisor is not positive.
 */
export function pairedRatio(a: readonly number[], b: readonly number[]): Spread {
  if (a.length !== b.length) throw new RangeError(`Cannot pair ${a.length} values with ${b.length}`);
  return spreadOf(
    a.map((value, at) => {
      const divisor = b[at] ?? 0;
      if (!(divisor > 0)) throw new RangeError(`Cannot take a ratio to ${divisor}`);
      return value / divisor;
    }),
  );
}

/** Which of a pair goes first: they take turns, so that neither always inherits what the other left behind. */
export function firstOfPair(round: number): "subject" | "other" {
  return round % 2 === 0 ? "subject" : "other";
}
