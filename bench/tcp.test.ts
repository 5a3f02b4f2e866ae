import { expect, test } from "bun:test";
import type { Pair } from "./measure/comparison.ts";
import { withPort } from "./peers/line-servers.ts";
import type { Sample } from "./system.ts";
import { judgeLines } from "./tcp.ts";

function sample(requests: number, faults: readonly string[] = []): Sample {
  return { requests, seconds: 1, p50Us: 100, p99Us: 200, ownCpuUs: 10, faults };
}

function judged(program: string, mine: Sample, others: Readonly<Record<string, Sample>>): string {
  const pairs = Object.entries(others).map(([other, its]): Pair => ({ other, kind: "limit", rounds: [{ subject: mine, other: its }] }));
  const { budget, measured, outcome } = judgeLines({ program, connections: 64, subject: "urocket", pairs });
  return `${measured} ${budget}: ${outcome}`;
}

test("each shape of load is judged against the C server alone", () => {
  const others = { "Bun.listen": sample(1000), "C epoll": sample(200) };
  expect(judged("one line at a time", sample(90), others)).toBe("0.45 ≥ 0.45: met");
  expect(judged("sixteen lines deep", sample(70), others)).toBe("0.35 ≥ 0.4: missed");
  expect(judged("a connection per line", sample(180), others)).toBe("0.9 ≥ 0.8: met");
});

test("nothing is judged without the C server, or when either erred", () => {
  expect(judged("one line at a time", sample(9), { "Bun.listen": sample(1) })).toBe("C epoll was not run ≥ 0.45: not measured");
  expect(judged("one line at a time", sample(9), { "C epoll": sample(1, ["1 wrong answers"]) })).toContain("not measured");
  expect(judged("one line at a time", sample(9, ["2 wrong answers"]), { "C epoll": sample(1) })).toContain("disqualified");
});

test("the fibber's service file gets another port, and only its listener's", () => {
  expect(withPort("listeners: [{ tcp: 1234, framing: lines }]\n", 4321)).toBe("listeners: [{ tcp: 4321, framing: lines }]\n");
  expect(withPort('listeners:\n  - tcp: "[::1]:1234"\n', 4321)).toBe("listeners:\n  - tcp: 4321\n");
  expect(() => withPort("name: x\n", 1)).toThrow("not one 'tcp:'");
});
