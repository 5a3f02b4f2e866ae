/** Which instance takes the next work: the least loaded of all, equals in turns, or strictly each in turn. */

export interface Candidate {
  /** Rises with each that is made. Candidates are in this order. */
  readonly order: number;
}

export class Balancer<Instance extends Candidate> {
  readonly #inTurn: boolean;
  /** Where the next pick starts, in these. */
  #turn = 0;
  #candidates: readonly Instance[] = [];
  /** Of the one that was picked last: turns go on behind it, whoever comes or leaves. */
  #lastOrder = -1;

  constructor(balance: "least-requests" | "round-robin") {
    this.#inTurn = balance === "round-robin";
  }

  /**
   * @param candidates another list when they have changed: one that was given is not changed.
   * @param loadOf how busy a candidate is; Infinity: it takes nothing now.
   * @returns undefined when no candidate takes anything.
   */
  pick(candidates: readonly Instance[], loadOf: (candidate: Instance) => number): Instance | undefined {
    if (candidates !== this.#candidates) this.#turnTo(candidates);
    const count = candidates.length;
    let best: Instance | undefined;
    let bestAt = 0;
    let least = Infinity;
    for (let at = this.#turn, left = count; left > 0; left--, at++) {
      if (at >= count) at = 0;
      const candidate = candidates[at];
      if (candidate === undefined) continue;
      const load = loadOf(candidate);
      if (load >= least) continue;
      least = load;
      best = candidate;
      bestAt = at;
      if (this.#inTurn || load === 0) break;
    }
    if (best !== undefined) {
      this.#turn = bestAt + 1;
      this.#lastOrder = best.order;
    }
    return best;
  }

  #turnTo(candidates: readonly Instance[]): void {
    this.#candidates = candidates;
    const behind = candidates.findIndex(({ order }) => order > this.#lastOrder);
    this.#turn = Math.max(0, behind);
  }
}
