import { describe, expect, test } from "bun:test";
import { eventually } from "../../tests/eventually.ts";
import { Stock } from "./network-stock.ts";

describe("a stock", () => {
  test("gives what is ready at once, and makes as many again", async () => {
    let made = 0;
    const stock = new Stock(() => Promise.resolve(++made), 2, 1);
    await stock.fill();
    expect(stock.count).toBe(2);
    expect([await stock.take(), await stock.take(), await stock.take()]).toEqual([1, 2, 3]);
    await eventually("the stock is full again", () => stock.count === 2);
    expect(await stock.close()).toEqual([4, 5]);
  });

  test("that cannot be filled says so to who takes of it", async () => {
    const stock = new Stock(() => Promise.reject(new Error("nothing left")), 2, 1);
    await stock.fill();
    expect(stock.count).toBe(0);
    expect(stock.take()).rejects.toThrow("nothing left");
    expect(await stock.close()).toEqual([]);
  });

  test("that is closed makes nothing any more", async () => {
    let made = 0;
    const stock = new Stock(() => Promise.resolve(++made), 2, 1);
    expect(await stock.close()).toEqual([]);
    await stock.fill();
    expect(made).toBe(0);
  });
});
