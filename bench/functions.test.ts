import { describe, expect, test } from "bun:test";
import { bestOfFamilies, functionQuestion, judgeFunctions } from "./functions.ts";
import type { Comparison, Pair } from "./measure/comparison.ts";
import type { ProxyKind } from "./peers/proxies.ts";
import type { Sample } from "./system.ts";

function sample(requests: number, figures: Partial<Sample> = {}): Sample {
  return { requests, seconds: 1, p50Us: 100, p99Us: 200, ownCpuUs: 18, faults: [], ...figures };
}

function pair(other: string, subject: Sample, sampleOfOther: Sample, kind: Pair["kind"] = "peer"): Pair {
  return { other, kind, rounds: [{ subject, other: sampleOfOther }] };
}

function comparison(program: string, connections: number, pairs: readonly Pair[]): Comparison {
  return { program, connections, subject: "urocket", pairs };
}

const judged = (each: Comparison): readonly string[] => judgeFunctions(each).map(({ measured, outcome }) => `${measured}: ${outcome}`);

describe("a greeting at 64 connections", () => {
  test("is judged against the fastest proxy, and against the thriftiest, which may be another", () => {
    const mine = sample(90, { ownCpuUs: 15 });
    const pairs = [
      pair("nginx ×1", mine, sample(75, { ownCpuUs: 15 })),
      pair("haproxy ×1", mine, sample(100, { ownCpuUs: 20 })),
      pair("Bun.serve direct", mine, sample(200, { ownCpuUs: 5 }), "limit"),
    ];
    expect(judged(comparison("hello", 64, pairs))).toEqual(["0.9 (of haproxy ×1): missed", "1 (of nginx ×1): missed"]);
  });

  test("is not judged by a proxy that erred", () => {
    const pairs = [
      pair("nginx ×1", sample(90), sample(500, { ownCpuUs: 1, faults: ["2 wrong answers"] })),
      pair("haproxy ×1", sample(90), sample(60)),
    ];
    expect(judged(comparison("hello", 64, pairs))[0]).toBe("1.5 (of haproxy ×1): met");
  });

  test("is not measured when urocket erred", () => {
    const pairs = [pair("nginx ×1", sample(90, { faults: ["1 wrong answers"] }), sample(60))];
    expect(judged(comparison("hello", 64, pairs))).toEqual(["disqualified: 1 wrong answers: not measured"]);
  });
});

test("one connection is judged by nginx's p50 alone", () => {
  const pairs = [
    pair("nginx ×1", sample(1, { p50Us: 90 }), sample(1, { p50Us: 100 })),
    pair("haproxy ×1", sample(1, { p50Us: 90 }), sample(1, { p50Us: 60 })),
  ];
  expect(judged(comparison("hello", 1, pairs))).toEqual(["0.9 (of nginx ×1): met"]);
});

test("a validated body has a budget of its own", () => {
  expect(judged(comparison("JSON POST", 64, [pair("nginx ×1", sample(85), sample(100))]))).toEqual(["0.85 (of nginx ×1): met"]);
});

describe("bestOfFamilies", () => {
  const kind = (name: string, family: string): ProxyKind => ({ name, family, kind: "peer", start: () => ({ port: 1, processes: [] }) });
  const kinds = [kind("nginx ×1", "nginx"), kind("nginx ×2", "nginx"), kind("haproxy ×1", "haproxy")];

  test("keeps the variant that did best", () => {
    const measured = comparison("hello", 64, [
      pair("nginx ×1", sample(1), sample(70)),
      pair("nginx ×2", sample(1), sample(80)),
      pair("haproxy ×1", sample(1), sample(60)),
    ]);
    expect(bestOfFamilies(kinds, measured).map(({ name }) => name)).toEqual(["nginx ×2", "haproxy ×1"]);
  });

  test("keeps all where nothing was measured", () => expect(bestOfFamilies(kinds, undefined)).toEqual(kinds));
});

test("the order's answer holds the order and its total", () => {
  const { send = "", body } = functionQuestion("JSON POST");
  expect(JSON.parse(body)).toMatchObject({ id: 1, totalCents: 17_438, ...(JSON.parse(send) as object) });
});
