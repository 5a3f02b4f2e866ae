/** Which instance takes the next exchange. Pure. */

export interface Candidate {
  /** Exchanges under way on it. */
  readonly open: number;
}

/**
 * @param turn counts the choices made, so that equals take turns.
 * @returns undefined when there is no candidate.
 */
export function pick<Instance extends Candidate>(
  candidates: readonly Instance[],
  balance: "least-requests" | "round-robin",
  turn: number,
): Instance | undefined {
  const count = candidates.length;
  if (balance === "round-robin") return candidates[turn % count];
  let least: Instance | undefined;
  for (let offset = 0; offset < count; offset++) {
    const candidate = candidates[(turn + offset) % count];
    if (candidate !== undefined && (least === undefined || candidate.open < least.open)) least = candidate;
  }
  return least;
}
