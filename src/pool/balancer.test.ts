import { describe, expect, test } from "bun:test";
import { Balancer } from "./balancer.ts";

interface Candidate {
  readonly name: string;
  readonly open: number;
}

const load = ({ open }: Candidate): number => (open >= 9 ? Infinity : open);

function names(balance: "least-requests" | "round-robin", candidates: readonly Candidate[], times: number): (string | undefined)[] {
  const balancer = new Balancer(balance);
  return Array.from({ length: times }, () => balancer.pick(candidates, load)?.name);
}

describe("the balancer", () => {
  const instances = [
    { name: "a", open: 2 },
    { name: "b", open: 1 },
    { name: "c", open: 1 },
  ];

  test("takes the least busy, equals in turns", () => {
    expect(names("least-requests", instances, 4)).toEqual(["b", "c", "b", "c"]);
  });

  test("takes idle ones in turns", () => {
    const idle = ["a", "b", "c"].map((name) => ({ name, open: 0 }));
    expect(names("least-requests", idle, 4)).toEqual(["a", "b", "c", "a"]);
  });

  test("takes each in turn when asked to, however busy", () => {
    expect(names("round-robin", instances, 4)).toEqual(["a", "b", "c", "a"]);
  });

  test("passes over those that take nothing", () => {
    const full = [
      { name: "a", open: 9 },
      { name: "b", open: 5 },
      { name: "c", open: 9 },
    ];
    expect(names("round-robin", full, 2)).toEqual(["b", "b"]);
    expect(names("least-requests", full, 2)).toEqual(["b", "b"]);
  });

  test("finds nothing among nobody, and among those that take nothing", () => {
    expect(names("least-requests", [], 1)).toEqual([undefined]);
    expect(names("round-robin", [{ name: "a", open: 9 }], 1)).toEqual([undefined]);
  });
});
