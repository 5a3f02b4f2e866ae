import { describe, expect, test } from "bun:test";
import type { Comparison, Pair } from "./measure/comparison.ts";
import { directName } from "./peers/daemons.ts";
import { Ground } from "./process/ground.ts";
import { judgeServices, runServices } from "./services.ts";
import type { Sample } from "./system.ts";

function sample(requests: number, figures: Partial<Sample> = {}): Sample {
  return { requests, seconds: 1, p50Us: 100, p99Us: 200, ownCpuUs: 18, programsCpuUs: 8, faults: [], ...figures };
}

function pair(other: string, subject: Sample, sampleOfOther: Sample, kind: Pair["kind"] = "peer"): Pair {
  return { other, kind, rounds: [{ subject, other: sampleOfOther }] };
}

function comparison(program: string, connections: number, pairs: readonly Pair[]): Comparison {
  return { program, connections, subject: "urocket", pairs };
}

const judged = (each: Comparison): readonly string[] =>
  judgeServices(each).map(({ budget, measured, outcome }) => `${budget}: ${measured}: ${outcome}`);

describe("requests at 64 connections", () => {
  test("are judged against nginx and against haproxy by one thread, each by its own budget, and against nobody else", () => {
    const mine = sample(95);
    const pairs = [
      pair("nginx", mine, sample(100)),
      pair("haproxy", mine, sample(100)),
      pair("haproxy ×2", mine, sample(500)),
      pair(directName, mine, sample(900), "limit"),
    ];
    expect(judged(comparison("hello", 64, pairs))).toEqual(["≥ 1: 0.95: missed", "≥ 0.9: 0.95: met"]);
  });

  test("are not measured against a proxy that erred, or was not run", () => {
    const pairs = [pair("nginx", sample(95), sample(9, { faults: ["1 wrong answers"] }))];
    expect(judged(comparison("hello", 64, pairs))).toEqual([
      "≥ 1: 1 wrong answers: not measured",
      "≥ 0.9: haproxy was not run: not measured",
    ]);
  });

  test("are not measured at all when the subject erred", () => {
    const pairs = [pair("nginx", sample(95, { faults: ["2 connections refused"] }), sample(9))];
    expect(judged(comparison("hello", 64, pairs))).toEqual(["no errors: disqualified: 2 connections refused: not measured"]);
  });

  test("have no budget where each is logged", () => {
    expect(judged(comparison("hello, each logged", 64, [pair("nginx+log", sample(1), sample(9))]))).toEqual([]);
  });
});

test("latency at one connection is judged against nginx's, and what each adds to a daemon's own is told", () => {
  const mine = sample(1, { p50Us: 90 });
  const pairs = [pair("nginx", mine, sample(1, { p50Us: 100 })), pair(directName, mine, sample(1, { p50Us: 60 }), "limit")];
  expect(judged(comparison("hello", 1, pairs))).toEqual(["≤ 1: 0.9 (adds 30 µs, nginx 40): met"]);
});

test("where there can be no containers, the verdict says why", async () => {
  await using ground = new Ground();
  const effort = { rounds: 1, seconds: 1, warmUpSeconds: 0, against: [] };
  const { verdicts } = await runServices(ground, { ...effort, parts: ["containers"], containersLack: "it needs root" }, () => undefined);
  expect(verdicts.map(({ measured, outcome }) => `${measured}: ${outcome}`)).toEqual(["it needs root: not measured"]);
});
