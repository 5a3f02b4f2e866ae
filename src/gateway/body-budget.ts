/**
 * How much of requests and replies the gateway holds in memory, all together. Bodies are read whole before they take a
 * place (a slow upload must not hold one), so their sum needs a limit of its own besides each one's.
 */
export class BodyBudget {
  readonly bytesMax: number;
  #held = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** False: there is no room, nothing was reserved. */
  reserve(bytes: number): boolean {
    if (this.#held + bytes > this.bytesMax) return false;
    this.#held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }

  get held(): number {
    return this.#held;
  }
}
