import { describe, expect, test } from "bun:test";
import { atLeast, atMost, judgeComparison, judgeCrowded, judgeLag } from "./budgets.ts";
import type { Comparison, Pair } from "./measure/comparison.ts";
import type { Sample } from "./system.ts";

function sample(requests: number, figures: Partial<Sample> = {}): Sample {
  return { requests, seconds: 1, p50Us: 1000, p99Us: 2000, ownCpuUs: 150, programsCpuUs: 500, faults: [], ...figures };
}

function pair(other: string, kind: Pair["kind"], subject: Sample, sampleOfOther: Sample): Pair {
  return { other, kind, rounds: [{ subject, other: sampleOfOther }] };
}

function comparison(program: string, connections: number, pairs: readonly Pair[]): Comparison {
  return { program, connections, subject: "urocket", pairs };
}

const outcomes = (verdicts: readonly { measure: string; measured: string; outcome: string }[]): unknown =>
  verdicts.map(({ measured, outcome }) => `${measured}: ${outcome}`);

test("a budget that is just held is met", () => {
  expect(atLeast("x", 1.1, 1.1).outcome).toBe("met");
  expect(atLeast("x", 1.1, 1.09).outcome).toBe("missed");
  expect(atMost("x", 5, 5).outcome).toBe("met");
  expect(atMost("x", 5, 5.01).outcome).toBe("missed");
});

describe("a comparison at 16 connections", () => {
  test("is judged against the best peer, not an easier one, and against the limit by pipe", () => {
    const mine = sample(1200);
    const pairs = [
      pair("webhook", "peer", mine, sample(1000)),
      pair("lighttpd", "peer", mine, sample(600, { p99Us: 1600 })),
      pair("limit (socket)", "limit", mine, sample(3000)),
      pair("limit (pipe)", "limit", mine, sample(1600)),
    ];
    expect(outcomes(judgeComparison(comparison("dynamic", 16, pairs)))).toEqual([
      "1.2 (of webhook): met",
      "0.75: missed",
      "1.25 (of lighttpd): missed",
      "150: met",
    ]);
  });

  test("leaves out a peer that erred", () => {
    const mine = sample(1200);
    const pairs = [
      pair("webhook", "peer", mine, sample(5000, { faults: ["7 wrong answers"] })),
      pair("lighttpd", "peer", mine, sample(600)),
    ];
    expect(judgeComparison(comparison("static", 16, pairs))[0]?.measured).toBe("2 (of lighttpd)");
  });

  test("cannot be met by a subject that erred", () => {
    const pairs = [pair("webhook", "peer", sample(9000, { faults: ["1 wrong answers"] }), sample(1))];
    expect(outcomes(judgeComparison(comparison("dynamic", 16, pairs)))).toEqual(["disqualified: 1 wrong answers: not measured"]);
  });

  test("is not measured when no peer is left", () => {
    const pairs = [pair("limit (pipe)", "limit", sample(10), sample(10))];
    expect(judgeComparison(comparison("static", 16, pairs))[0]?.outcome).toBe("not measured");
  });

  test("of a script has no budget", () => {
    expect(judgeComparison(comparison("php", 16, [pair("webhook", "peer", sample(1), sample(1))]))).toEqual([]);
  });
});

test("one connection is judged by requests/s alone", () => {
  const pairs = [pair("webhook", "peer", sample(990), sample(1000))];
  expect(outcomes(judgeComparison(comparison("dynamic", 1, pairs)))).toEqual(["0.99 (of webhook): missed"]);
});

test("more connections are judged against the subject's own figure and by the tail", () => {
  const pairs = [pair("×64", "subject", sample(1000), sample(950, { p50Us: 1000, p99Us: 3500 }))];
  expect(outcomes(judgeCrowded(comparison("dynamic", 16, pairs)))).toEqual(["0.95: met", "3.5: missed"]);
});

test("more connections with errors are not measured", () => {
  const pairs = [pair("×256", "subject", sample(1000), sample(950, { faults: ["9 wrong answers"] }))];
  expect(outcomes(judgeCrowded(comparison("dynamic", 16, pairs)))).toEqual(["disqualified: 9 wrong answers: not measured"]);
});

test("lag is told with what the machine itself adds", () => {
  const lag = (p99Us: number) => ({ count: 100, p50Us: 100, p99Us, maxUs: p99Us });
  const report = { connections: 64, gateway: lag(6000), control: lag(4000), rounds: [], faults: [] };
  expect(judgeLag(report)).toMatchObject({ measured: "6 (an idle server beside it: 4)", outcome: "missed" });
  expect(judgeLag({ ...report, faults: ["1 wrong answers"] }).outcome).toBe("not measured");
});
