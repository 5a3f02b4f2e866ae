import { expect, test } from "bun:test";
import { connectionsWithin, httpLimits } from "./http-limits.ts";

test("connections leave a quarter of the descriptors to others, and are never more than their own maximum", () => {
  expect(connectionsWithin(1024)).toBe(768);
  expect([connectionsWithin(1_000_000), connectionsWithin(undefined)]).toEqual([httpLimits.connectionsMax, httpLimits.connectionsMax]);
});
