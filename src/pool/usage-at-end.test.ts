import { expect, test } from "bun:test";
import { usageAtEnd } from "./usage-at-end.ts";

test("what an instance has used is the most that was seen of what grows, and what is left of the rest", () => {
  const seen = { memoryBytes: 90, memoryPeakBytes: 100, oomKills: 1, pids: 7, cpuMs: 30 };
  const left = { memoryBytes: 2, memoryPeakBytes: 60, oomKills: 0, pids: 0, cpuMs: 40, networkBytesIn: 5 };
  expect(usageAtEnd(seen, left)).toEqual({ memoryBytes: 2, memoryPeakBytes: 100, oomKills: 1, pids: 0, cpuMs: 40, networkBytesIn: 5 });
});

test("what is not known is not made up", () => {
  expect(usageAtEnd({}, { memoryBytes: 1 })).toEqual({ memoryBytes: 1 });
});
