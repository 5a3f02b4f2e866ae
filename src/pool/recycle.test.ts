import { expect, test } from "bun:test";
import { wornBy } from "./recycle.ts";

const wear = { ageMs: 1000, requests: 10, memoryBytes: 5000 };

test("an instance is worn out by the limit that it reached, and by none that is not set", () => {
  expect(wornBy(wear, {})).toBeUndefined();
  expect(wornBy(wear, { ageMs: 1001, requests: 11, memoryBytes: 5000 })).toBeUndefined();
  expect(wornBy(wear, { ageMs: 1000 })).toBe("it was 1000 ms old (recycle.age)");
  expect(wornBy(wear, { requests: 10 })).toBe("it had served 10 requests (recycle.requests)");
  expect(wornBy(wear, { memoryBytes: 4999 })).toBe("it used 5000 bytes (recycle.memory)");
});

test("memory that is not known now wears nothing", () => {
  expect(wornBy({ ageMs: 0, requests: 0 }, { memoryBytes: 1 })).toBeUndefined();
});
