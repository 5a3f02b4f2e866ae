import { expect, test } from "bun:test";
import { ThrottleHistory } from "./throttle-history.ts";

test("tells how much came since a moment, by the last figure before it", () => {
  const history = new ThrottleHistory();
  expect(history.since(5)).toBe(0);
  for (const [atMs, throttledMs] of [
    [0, 0],
    [10, 5],
    [20, 9],
  ] as const)
    history.add(atMs, throttledMs);
  expect([history.since(-1), history.since(0), history.since(15), history.since(20), history.since(99)]).toEqual([9, 9, 4, 0, 0]);
});

test("stays small, however long an instance lives, and is less exact the longer ago", () => {
  const history = new ThrottleHistory();
  for (let at = 0; at <= 100_000; at++) history.add(at, at);
  expect(history.length).toBeLessThan(256);
  expect(history.since(100_000)).toBe(0);
  expect(history.since(99_500)).toBeWithin(500, 700);
  // What is forgotten is not blamed.
  expect(history.since(0)).toBeLessThan(2_000);
});

test("what does not change takes two places", () => {
  const history = new ThrottleHistory();
  for (let at = 0; at < 1000; at++) history.add(at, 7);
  expect(history.length).toBe(2);
  history.add(1000, 9);
  expect(history.since(999)).toBe(2);
});
