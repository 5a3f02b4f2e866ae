/**
 * Decides when a program may be started. So many may be alive at once, and of these only a few in their first
 * milliseconds: a core that execs one program at a time serves more of them than one that interleaves ten. A program
 * leaves its first phase by replying, by exiting, or by age; the others wait in the order in which they came.
 */

/** A program older than this is taken to be waiting for something else than the processor. */
export const startingMs = 10;
/** Waiting beyond the places: what the host may send ahead. */
export const waitingMax = 4096;

export interface Gated {
  /** Its turn has come. */
  start(): void;
  /** False: it was given up while it waited. */
  readonly waits: boolean;
}

export class StartGate {
  readonly #aliveMax: number;
  readonly #startingMax: number;
  readonly #queue: Gated[] = [];
  #head = 0;
  readonly #starting = new Map<Gated, number>();
  #alive = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #admitting = false;

  constructor(aliveMax: number, startingMax: number) {
    this.#aliveMax = aliveMax;
    this.#startingMax = startingMax;
  }

  get alive(): number {
    return this.#alive;
  }

  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  /** Starts it now or when its turn comes. False: too many wait already. */
  enter(it: Gated): boolean {
    if (this.waiting === 0 && this.#mayStart()) {
      this.#start(it);
      return true;
    }
    if (this.waiting >= waitingMax) return false;
    this.#queue.push(it);
    this.#admit();
    return true;
  }

  /** It has replied, or otherwise shown that its start is over. Idempotent. */
  started(it: Gated): void {
    if (this.#starting.delete(it)) this.#admit();
  }

  /** Nothing of it lives any more. To be called once for each that was started. */
  gone(it: Gated): void {
    this.#starting.delete(it);
    this.#alive--;
    this.#admit();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue.length = this.#head = 0;
  }

  #mayStart(): boolean {
    return this.#alive < this.#aliveMax && this.#starting.size < this.#startingMax;
  }

  #start(it: Gated): void {
    this.#alive++;
    this.#starting.set(it, performance.now());
    it.start();
  }

  /** A start that fails gives its place back at once; the loop goes on with it rather than nesting. */
  #admit(): void {
    if (this.#admitting) return;
    this.#admitting = true;
    while (this.waiting > 0 && this.#mayStart()) {
      const next = this.#queue[this.#head++];
      if (next?.waits === true) this.#start(next);
    }
    this.#admitting = false;
    this.#forgetStarted();
    if (this.waiting > 0) this.#planAging();
  }

  #forgetStarted(): void {
    if (this.#head === this.#queue.length) {
      this.#queue.length = this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** One timer, and only while somebody waits for a start that takes long. */
  #planAging(): void {
    this.#timer ??= setTimeout(this.#age, startingMs);
  }

  readonly #age = (): void => {
    this.#timer = undefined;
    const old = performance.now() - startingMs;
    for (const [it, since] of this.#starting) if (since <= old) this.#starting.delete(it);
    this.#admit();
  };
}
