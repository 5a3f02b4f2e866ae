import { describe, expect, test } from "bun:test";
import { Gatherer } from "./network-gatherer.ts";

/** Work that ends when it is let, with what it was given. */
function slowly(): { readonly runs: number[][]; readonly gatherer: Gatherer<number, number>; readonly letGo: () => void } {
  const runs: number[][] = [];
  let go = Promise.withResolvers<void>();
  const gatherer = new Gatherer<number, number>(async (items) => {
    runs.push([...items]);
    await go.promise;
    if (items.includes(13)) throw new Error("13");
    return items.map((item) => item * 10);
  }, 3);
  const letGo = (): void => {
    go.resolve();
    go = Promise.withResolvers();
    go.resolve();
  };
  return { runs, gatherer, letGo };
}

describe("work that is gathered", () => {
  test("goes into the next run together, in order and not too much of it", async () => {
    const { runs, gatherer, letGo } = slowly();
    const first = gatherer.do(1);
    await Promise.resolve();
    await Promise.resolve();
    const rest = [2, 3, 4, 5].map((item) => gatherer.do(item));
    letGo();
    expect(await Promise.all([first, ...rest])).toEqual([10, 20, 30, 40, 50]);
    expect(runs).toEqual([[1], [2, 3, 4], [5]]);
    await gatherer.idle();
  });

  test("fails for whom it fails alone", async () => {
    const { gatherer, letGo } = slowly();
    const all = Promise.allSettled([1, 13, 2].map((item) => gatherer.do(item)));
    letGo();
    expect((await all).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });
});
