import { describe, expect, test } from "bun:test";
import { Balancer } from "./balancer.ts";

interface Candidate {
  readonly order: number;
  readonly name: string;
  readonly open: number;
}

const load = ({ open }: Candidate): number => (open >= 9 ? Infinity : open);

function candidates(...all: readonly Omit<Candidate, "order">[]): Candidate[] {
  return all.map((one, order) => ({ ...one, order }));
}

function names(balance: "least-requests" | "round-robin", candidates: readonly Candidate[], times: number): (string | undefined)[] {
  const balancer = new Balancer<Candidate>(balance);
  return Array.from({ length: times }, () => balancer.pick(candidates, load)?.name);
}

describe("the balancer", () => {
  const instances = candidates({ name: "a", open: 2 }, { name: "b", open: 1 }, { name: "c", open: 1 });

  test("takes the least busy, equals in turns", () => {
    expect(names("least-requests", instances, 4)).toEqual(["b", "c", "b", "c"]);
  });

  test("takes idle ones in turns", () => {
    const idle = candidates(...["a", "b", "c"].map((name) => ({ name, open: 0 })));
    expect(names("least-requests", idle, 4)).toEqual(["a", "b", "c", "a"]);
  });

  test("takes each in turn when asked to, however busy", () => {
    expect(names("round-robin", instances, 4)).toEqual(["a", "b", "c", "a"]);
  });

  test("passes over those that take nothing", () => {
    const full = candidates({ name: "a", open: 9 }, { name: "b", open: 5 }, { name: "c", open: 9 });
    expect(names("round-robin", full, 2)).toEqual(["b", "b"]);
    expect(names("least-requests", full, 2)).toEqual(["b", "b"]);
  });

  test("goes on behind the one that was last, whoever leaves, comes and comes back", () => {
    const [a, b, c, d] = candidates(...["a", "b", "c", "d"].map((name) => ({ name, open: 0 })));
    const balancer = new Balancer<Candidate>("round-robin");
    const pick = (...among: readonly (Candidate | undefined)[]): string | undefined =>
      balancer.pick(
        among.flatMap((one) => one ?? []),
        load,
      )?.name;
    const picked = [pick(a, b, c), pick(a, b, c), pick(a, c), pick(a, c), pick(a, b, c), pick(a, b, c, d), pick(a, b, c, d)];
    expect(picked).toEqual(["a", "b", "c", "a", "b", "c", "d"]);
    // Whoever was last has left: its followers are next.
    expect([pick(a, b, c), pick(b, c), pick(b, c, d), pick(d)]).toEqual(["a", "b", "c", "d"]);
  });

  test("finds nothing among nobody, and among those that take nothing", () => {
    expect(names("least-requests", [], 1)).toEqual([undefined]);
    expect(names("round-robin", candidates({ name: "a", open: 9 }), 1)).toEqual([undefined]);
  });
});
