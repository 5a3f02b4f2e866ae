import { expect, test } from "bun:test";
import { endFields } from "./instance-sample.ts";

test("an instance's end is told with what it used, without what has no meaning any more and what never happened", () => {
  const use = { memoryBytes: 1, memoryPeakBytes: 5_000_000, cpuMs: 12.34, throttledMs: 0, pids: 0, oomKills: 0, pidsRefused: 3 };
  expect(endFields(use)).toEqual({ cpuMs: 12, memoryPeakBytes: 5_000_000, pidsRefused: 3 });
  expect(endFields({})).toEqual({});
});
