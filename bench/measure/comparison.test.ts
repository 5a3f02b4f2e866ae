import { describe, expect, test } from "bun:test";
import type { Load, Sample, System } from "../system.ts";
import { compare, summarize } from "./comparison.ts";

const load: Load = { program: "dynamic", connections: 16, seconds: 1, warmUpSeconds: 0 };

function sample(requests: number, p99Us = 1000, faults: readonly string[] = []): Sample {
  return { requests, seconds: 1, p50Us: 500, p99Us, ownCpuUs: 100, programsCpuUs: 400, faults };
}

/** Answers the given samples in turn, and notes in `calls` that it was asked. */
function scripted(name: string, kind: System["kind"], samples: readonly Sample[], calls: string[] = []): System {
  let at = 0;
  return {
    name,
    kind,
    measure: (asked) => {
      calls.push(`${name}×${asked.connections}`);
      return Promise.resolve(samples[at++ % samples.length] ?? sample(0));
    },
  };
}

describe("compare", () => {
  test("interleaves the two of each pair and lets them take turns in going first", async () => {
    const calls: string[] = [];
    const [a, b, c] = [
      scripted("a", "subject", [sample(1)], calls),
      scripted("b", "peer", [sample(1)], calls),
      scripted("c", "peer", [sample(1)], calls),
    ];
    await compare(a, [{ system: b }, { system: c }], load, 2, () => undefined);
    expect(calls).toEqual(["a×16", "b×16", "a×16", "c×16", "b×16", "a×16", "c×16", "a×16"]);
  });

  test("can set the subject against itself under another load", async () => {
    const calls: string[] = [];
    const a = scripted("a", "subject", [sample(1)], calls);
    const comparison = await compare(a, [{ system: a, load: { ...load, connections: 64 }, label: "a ×64" }], load, 1, () => undefined);
    expect(calls).toEqual(["a×16", "a×64"]);
    expect(comparison.pairs[0]?.other).toBe("a ×64");
  });
});

describe("summarize", () => {
  test("takes the median of the pairs' ratios and of each system's figures", async () => {
    const subject = scripted("a", "subject", [sample(200), sample(50), sample(300)]);
    const peer = scripted("b", "peer", [sample(100), sample(50), sample(100)]);
    const { subject: line, others } = summarize(await compare(subject, [{ system: peer }], load, 3, () => undefined));
    expect(line.perSecond).toEqual({ median: 200, low: 50, high: 300 });
    expect(others[0]?.ratio).toEqual({ median: 2, low: 1, high: 3 });
  });

  test("disqualifies a system that erred in any round, saying why, and claims no ratio to it", async () => {
    const peer = scripted("b", "peer", [sample(100), sample(90, 1000, ["3 wrong answers"])]);
    const { others } = summarize(await compare(scripted("a", "subject", [sample(1)]), [{ system: peer }], load, 2, () => undefined));
    expect(others[0]?.disqualified).toBe("3 wrong answers");
    expect(others[0]?.ratio).toBeUndefined();
  });

  test("claims no ratio at all when the subject erred", async () => {
    const subject = scripted("a", "subject", [sample(100, 1000, ["1 connections refused"])]);
    const { subject: line, others } = summarize(
      await compare(subject, [{ system: scripted("b", "peer", [sample(1)]) }], load, 1, () => undefined),
    );
    expect(line.disqualified).toBe("1 connections refused");
    expect(others[0]?.ratio).toBeUndefined();
  });
});
