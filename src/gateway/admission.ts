/**
 * How many exchanges of an app run at once, and how many may wait: places, and a bounded first-in-first-out queue before
 * them. What does not fit is refused at once, so that those admitted keep their latency under any overload.
 */

/** Somebody who wants a place. */
export interface Applicant {
  /** A place is theirs. Called later than `apply`, which tells itself when one is free at once. Must not throw. */
  admitted(): void;
}

export class Admission {
  /** What its places are, for the sentence that refuses: "scale.concurrency". */
  readonly limit: string;
  #concurrency: number;
  #queueMax: number;
  #running = 0;
  readonly #queue = new Set<Applicant>();
  /** Exponentially weighted mean of how long a place is held; 0: not measured yet. */
  #serviceMs = 0;
  #admitting = false;

  constructor(concurrency: number, queueMax: number, limit = "scale.concurrency") {
    this.limit = limit;
    this.#concurrency = concurrency;
    this.#queueMax = queueMax;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  get queueMax(): number {
    return this.#queueMax;
  }

  /** Whether an applicant would be refused now. */
  get full(): boolean {
    return this.#running >= this.#concurrency && this.#queue.size >= this.#queueMax;
  }

  /** A place at once, a place in the queue, or neither. */
  apply(applicant: Applicant): "admitted" | "queued" | "full" {
    if (this.#running < this.#concurrency) {
      this.#running++;
      return "admitted";
    }
    if (this.#queue.size >= this.#queueMax) return "full";
    this.#queue.add(applicant);
    return "queued";
  }

  /** Leaves the queue before being admitted. */
  withdraw(applicant: Applicant): void {
    this.#queue.delete(applicant);
  }

  /** Gives a place back; the first in the queue gets it. @param heldMs how long it was held; undefined: it was not used. */
  release(heldMs: number | undefined): void {
    if (heldMs !== undefined) this.#serviceMs = this.#serviceMs === 0 ? heldMs : this.#serviceMs + (heldMs - this.#serviceMs) / 16;
    this.#running--;
    this.#admitWaiting();
  }

  /** New limits after a reload; places held above a smaller limit are given back as they end. */
  resize(concurrency: number, queueMax: number): void {
    this.#concurrency = concurrency;
    this.#queueMax = queueMax;
    this.#admitWaiting();
  }

  /** When a refused client may hope for a place: what is ahead of it, by the measured service time. Whole seconds, 1 to 300. */
  get retryAfterSeconds(): number {
    const ahead = this.#running + this.#queue.size;
    const seconds = Math.ceil(((ahead / this.#concurrency) * this.#serviceMs) / 1000);
    return Math.min(300, Math.max(1, seconds));
  }

  #admitWaiting(): void {
    // Who is admitted too late gives the place back at once: that is for the loop that runs already. A queue of a million
    // of them must not become a stack of a million calls.
    if (this.#admitting) return;
    this.#admitting = true;
    for (const next of this.#queue) {
      if (this.#running >= this.#concurrency) break;
      this.#queue.delete(next);
      this.#running++;
      next.admitted();
    }
    this.#admitting = false;
  }
}
