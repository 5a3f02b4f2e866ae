import { expect, test } from "bun:test";
import { inPlaces } from "./problem.ts";

test("violations are counted in words", () => {
  const violation = { in: "body", path: "$", message: "is required" } as const;
  expect([inPlaces([violation]), inPlaces([violation, violation])]).toEqual(["1 place", "2 places"]);
});
