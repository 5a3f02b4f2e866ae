/** Work that is cheaper done together: what comes while a run is on its way goes into the next one. */

/** Does all of the items, or none of them. */
export type Together<Item, Result> = (items: readonly Item[]) => Promise<readonly Result[]>;

export class Gatherer<Item, Result> {
  readonly #together: Together<Item, Result>;
  readonly #itemsMax: number;
  #waiting: Waiting<Item, Result>[] = [];
  #running: Promise<void> | undefined;

  /** @param itemsMax of one run. */
  constructor(together: Together<Item, Result>, itemsMax: number) {
    this.#together = together;
    this.#itemsMax = itemsMax;
  }

  /** Items are done in the order in which they came. Rejects when this one cannot be done; others with it do not suffer. */
  do(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Resolves when nothing is on its way or waiting. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // What comes in the same turn of the loop comes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#attempt(this.#waiting.splice(0, this.#itemsMax));
    this.#running = undefined;
  }

  async #attempt(some: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#together(some.map(({ item }) => item));
      for (const [at, { resolve }] of some.entries()) resolve(results[at] as Result);
    } catch (error) {
      if (some.length === 1) some[0]?.reject(error);
      else for (const one of some) await this.#attempt([one]);
    }
  }
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}
