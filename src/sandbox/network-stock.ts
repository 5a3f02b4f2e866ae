/** What is made ahead of need, because making it takes longer than anybody likes to wait: a few, and made again when some were taken. */

export class Stock<Thing> {
  readonly #make: () => Promise<Thing>;
  readonly #size: number;
  readonly #refillAfterMs: number;
  readonly #ready: Thing[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #filling: Promise<void> | undefined;
  #closed = false;

  /** @param refillAfterMs after the last that was taken: whoever took it has better use for the machine just then. */
  constructor(make: () => Promise<Thing>, size: number, refillAfterMs: number) {
    this.#make = make;
    this.#size = size;
    this.#refillAfterMs = refillAfterMs;
  }

  /** How many are ready. */
  get count(): number {
    return this.#ready.length;
  }

  /** One that is ready, at once; else one that is made now. */
  async take(): Promise<Thing> {
    const ready = this.#ready.shift();
    this.#refillLater();
    return ready ?? (await this.#make());
  }

  /** Makes what is missing. One that cannot be made is not made here: whoever takes it next is told why. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => (this.#filling = undefined));
    return this.#filling;
  }

  /** Ends making. @returns what was ready: it is the caller's now. */
  async close(): Promise<readonly Thing[]> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    return this.#ready.splice(0);
  }

  async #fill(): Promise<void> {
    const missing = this.#closed ? 0 : this.#size - this.#ready.length;
    const made = await Promise.allSettled(Array.from({ length: Math.max(0, missing) }, () => this.#make()));
    for (const one of made) if (one.status === "fulfilled") this.#ready.push(one.value);
  }

  #refillLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.fill(), this.#refillAfterMs);
    this.#timer.unref();
  }
}
