import { expect, test } from "bun:test";
import type { LoadReport } from "./measure/load-client.ts";
import { judgeNeighbour, runNeighbours, type NeighbourRound } from "./neighbours.ts";
import { Ground } from "./process/ground.ts";

function report(p99Us: number, figures: Partial<LoadReport> = {}): LoadReport {
  const latencies = { count: 100, p50Us: 50, p99Us, maxUs: p99Us };
  const none = { wrong: 0, firstWrong: "", closedUnanswered: 0, connectFailures: 0, notSent: 0, unanswered: 0, samplesDropped: 0 };
  const rest = { seconds: 1, answered: 100, connectionsOpened: 1, clientCpuUs: 1, ...none, ...figures };
  return { accepted: latencies, refused: latencies, late: latencies, ...rest };
}

const round = (alone: LoadReport, beside: LoadReport): NeighbourRound => ({ alone, beside, deed: { cpus: 0.5, answers: {} } });

test("latency is told, and is no verdict", () => {
  const rounds = [round(report(1_000), report(9_000)), round(report(2_000), report(3_000)), round(report(3_000), report(4_000))];
  expect(judgeNeighbour({ misdeed: "cpu", rounds })).toMatchObject({
    measure: "errors beside a CPU spinner",
    measured: "0 (p99 2 ms alone, 4 beside it)",
    outcome: "met",
  });
});

test("one answer that is wrong, or missing, in any round is too many", () => {
  const rounds = [round(report(1), report(1)), round(report(1), report(1, { unanswered: 2, wrong: 1, firstWrong: "HTTP/1.1 503" }))];
  expect(judgeNeighbour({ misdeed: "fork", rounds })).toMatchObject({
    measured: "3 (1 wrong answers, the first: HTTP/1.1 503; 2 requests without an answer 10 s after the end)",
    outcome: "missed",
  });
});

test("where there can be no containers, the verdicts say why", async () => {
  await using ground = new Ground();
  const effort = { rounds: 1, seconds: 1, warmUpSeconds: 0 };
  const { verdicts } = await runNeighbours(
    ground,
    { ...effort, parts: ["fork", "disk"], containersLack: "it needs root" },
    () => undefined,
  );
  expect(verdicts.map(({ measure, measured }) => `${measure}: ${measured}`)).toEqual([
    "errors beside a fork bomb: it needs root",
    "errors beside a disk filler: it needs root",
  ]);
});
