import { expect, test } from "bun:test";
import { afterLook, type ServiceHealth, wellAtFirst } from "./service-health.ts";

/** @param looks "+" found it well, "-" did not. */
const after = (looks: string, failuresMax: number): ServiceHealth =>
  looks
    .split("")
    .reduce(
      (health, look) => afterLook(health, look === "+" ? { well: true } : { well: false, detail: "GET / answered 500" }, failuresMax),
      wellAtFirst,
    );

test.each([
  ["", 3, "well"],
  ["--", 3, "well"],
  ["---", 3, "failing"],
  ["--+--", 3, "well"],
  ["----", 3, "failing"],
  ["---+", 3, "well"],
  ["---+--", 3, "well"],
  ["---+---", 3, "failing"],
  ["-", 1, "failing"],
] as const)("after looks of '%s', so many as %d failures in a row being too many, it is %s", (looks, failuresMax, at) => {
  expect(after(looks, failuresMax).at).toBe(at);
});
