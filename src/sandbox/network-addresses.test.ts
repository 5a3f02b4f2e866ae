import { describe, expect, test } from "bun:test";
import { Addresses } from "./network-addresses.ts";

describe("addresses", () => {
  test("are given out once each, until there are no more", () => {
    const addresses = new Addresses({ from: 2, to: 5 });
    expect([addresses.size, addresses.take(), addresses.take(), addresses.take(), addresses.take()]).toEqual([3, 2, 3, 4, undefined]);
    addresses.giveBack(3);
    expect([addresses.take(), addresses.take()]).toEqual([3, undefined]);
  });

  test("that were given back are given out as late as possible", () => {
    const addresses = new Addresses({ from: 0, to: 4 });
    const first = addresses.take() ?? -1;
    addresses.giveBack(first);
    expect([addresses.take(), addresses.take(), addresses.take(), addresses.take()]).toEqual([1, 2, 3, first]);
  });
});
