import { describe, expect, test } from "bun:test";
import { firstOfPair, median, pairedRatio, percentile, spreadOf } from "./statistics.ts";

describe("median", () => {
  test("is the middle value, whatever the order", () => expect(median([9, 1, 5])).toBe(5));
  test("is the mean of the middle two of an even number", () => expect(median([4, 1, 3, 2])).toBe(2.5));
  test("sorts as numbers, not as text", () => expect(median([100, 9, 20])).toBe(20));
  test("leaves its argument as it was", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
  test("refuses an empty list", () => expect(() => median([])).toThrow("no values"));
});

describe("percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, at) => at + 1);
  test("is the nearest rank", () => {
    expect(percentile(hundred, 0.5)).toBe(51);
    expect(percentile(hundred, 0.99)).toBe(100);
  });
  test("of a single value is that value", () => expect(percentile([7], 0.99)).toBe(7));
  test("at 1 is the greatest", () => expect(percentile(hundred, 1)).toBe(100));
  test("refuses an empty list", () => expect(() => percentile([], 0.5)).toThrow("no values"));
});

describe("pairedRatio", () => {
  test("is the median of each pair's ratio, so that a drift of both cancels out", () => {
    expect(pairedRatio([100, 50, 10], [50, 25, 5])).toEqual({ median: 2, low: 2, high: 2 });
  });
  test("is not the ratio of medians", () => expect(pairedRatio([1, 10, 100], [1, 20, 50]).median).toBe(1));
  test("refuses lists of different length", () => expect(() => pairedRatio([1, 2], [1])).toThrow("pair 2 values with 1"));
  test("refuses to divide by nothing", () => expect(() => pairedRatio([1], [0])).toThrow("ratio to 0"));
});

test("a spread keeps the least and the greatest beside the median", () => {
  expect(spreadOf([5, 1, 3])).toEqual({ median: 3, low: 1, high: 5 });
});

test("the two of a pair take turns in going first", () => {
  expect([0, 1, 2, 3].map(firstOfPair)).toEqual(["subject", "other", "subject", "other"]);
});
