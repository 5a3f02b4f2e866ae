/** Which instance takes the next work: the least loaded of all, equals in turns, or strictly each in turn. */

export class Balancer {
  readonly #inTurn: boolean;
  #turn = 0;

  constructor(balance: "least-requests" | "round-robin") {
    this.#inTurn = balance === "round-robin";
  }

  /**
   * @param loadOf how busy a candidate is; Infinity: it takes nothing now.
   * @returns undefined when no candidate takes anything.
   */
  pick<Instance>(candidates: readonly Instance[], loadOf: (candidate: Instance) => number): Instance | undefined {
    const count = candidates.length;
    let best: Instance | undefined;
    let bestAt = 0;
    let least = Infinity;
    for (let offset = 0; offset < count; offset++) {
      const at = (this.#turn + offset) % count;
      const candidate = candidates[at];
      if (candidate === undefined) continue;
      const load = loadOf(candidate);
      if (load >= least) continue;
      least = load;
      best = candidate;
      bestAt = at;
      if (this.#inTurn || load === 0) break;
    }
    if (best !== undefined) this.#turn = bestAt + 1;
    return best;
  }
}
