import { expect, test } from "bun:test";
import { warmUp } from "./warm-up.ts";

test("a spare's preparation can be had again, and leaves nothing to do", () => {
  const before = process.listenerCount("uncaughtException");
  warmUp();
  expect(warmUp).not.toThrow();
  expect(process.listenerCount("uncaughtException")).toBe(before);
});
