import { describe, expect, test } from "bun:test";
import { pick } from "./balancer.ts";

describe("the balancer", () => {
  const instances = [
    { name: "a", open: 2 },
    { name: "b", open: 1 },
    { name: "c", open: 1 },
  ];

  test("takes the least busy, equals in turns", () => {
    expect([0, 1, 2, 3].map((turn) => pick(instances, "least-requests", turn)?.name)).toEqual(["b", "b", "c", "b"]);
  });

  test("takes each in turn when asked to", () => {
    expect([0, 1, 2, 3].map((turn) => pick(instances, "round-robin", turn)?.name)).toEqual(["a", "b", "c", "a"]);
  });

  test("finds nothing among nobody", () => {
    expect(pick([], "least-requests", 3)).toBeUndefined();
    expect(pick([], "round-robin", 3)).toBeUndefined();
  });
});
