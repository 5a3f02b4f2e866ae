/**
 * `tcp`: Fibonacci numbers over TCP lines, by examples/fibber against servers that answer in the accepting process: 64 kept
 * connections with one line at a time, the same sixteen lines deep, and a connection for each line.
 */
import { atLeast, budgets, notMeasured, type Verdict } from "./budgets.ts";
import { compare, summarize, type Comparison, type Progress } from "./measure/comparison.ts";
import { runLines } from "./measure/line-client.ts";
import { faultsOf } from "./measure/load-client.ts";
import { settledTree, toSample, type Server, type ServerKind } from "./measure/server.ts";
import { cServer, lineServers } from "./peers/line-servers.ts";
import type { Ground } from "./process/ground.ts";
import { usedBetween } from "./process/proc-stat.ts";
import type { Load, Sample, System } from "./system.ts";

/** Each by the name that --only knows it by. */
export const lineParts = ["kept", "deep", "each"] as const;
export type LinePart = (typeof lineParts)[number];

interface Shape {
  /** As the comparison is called. */
  readonly program: string;
  readonly depth: number;
  readonly connectEach: boolean;
  readonly budget: number;
}

const shapes: Readonly<Record<LinePart, Shape>> = {
  kept: { program: "one line at a time", depth: 1, connectEach: false, budget: budgets.keptLinesToC },
  deep: { program: "sixteen lines deep", depth: 16, connectEach: false, budget: budgets.deepLinesToC },
  each: { program: "a connection per line", depth: 1, connectEach: true, budget: budgets.connectedLinesToC },
};

export interface TcpOptions {
  readonly parts: readonly LinePart[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly subject: ServerKind;
  readonly against: readonly string[];
}

export interface TcpReport {
  readonly comparisons: readonly Comparison[];
  readonly verdicts: readonly Verdict[];
}

const connections = 64;
const readyWithinMs = 15_000;

export async function runTcp(ground: Ground, options: TcpOptions, progress: Progress): Promise<TcpReport> {
  const subject = lineSystem(ground, options.subject);
  const opponents = lineServers.filter(({ name }) => options.against.includes(name)).map((kind) => ({ system: lineSystem(ground, kind) }));
  const { rounds, seconds, warmUpSeconds } = options;
  const comparisons: Comparison[] = [];
  await subject.measure({ program: shapes.kept.program, connections, seconds: 1, warmUpSeconds: 0 });
  for (const part of options.parts) {
    const load = { program: shapes[part].program, connections, seconds, warmUpSeconds };
    comparisons.push(await compare(subject, opponents, load, rounds, progress));
  }
  return { comparisons, verdicts: comparisons.map(judgeLines) };
}

/** A line server as a system, started on first use. */
function lineSystem(ground: Ground, { name, kind, start }: ServerKind): System {
  let started: Promise<Server> | undefined;
  return {
    name,
    kind,
    async measure(load) {
      const server = await (started ??= Promise.resolve(start(ground)));
      await untilAnswers(ground, name, server);
      return measureLines(ground, server, load);
    },
  };
}

async function measureLines(ground: Ground, server: Server, { program, ...load }: Load): Promise<Sample> {
  const shape = Object.values(shapes).find((each) => each.program === program);
  if (shape === undefined) throw new Error(`Unknown shape of load "${program}"`);
  const roots = server.processes.map(({ pid }) => pid);
  const before = await settledTree(roots);
  const report = await runLines(ground, { ...load, port: server.port, depth: shape.depth, connectEach: shape.connectEach });
  return toSample(report, usedBetween(before, await settledTree(roots, before)));
}

/** @throws when a line is not answered within 15 s. */
async function untilAnswers(ground: Ground, name: string, server: Server): Promise<void> {
  const givenUpAt = Date.now() + readyWithinMs;
  let ended = false;
  for (const { exited } of server.processes) void exited.then(() => (ended = true));
  const probe = { port: server.port, seconds: 0.02, warmUpSeconds: 0, connections: 1, depth: 1, connectEach: false };
  let last = "nothing";
  while (!ended && Date.now() < givenUpAt) {
    const faults = faultsOf(await runLines(ground, probe));
    if (faults.length === 0) return;
    last = faults.join("; ");
    await Bun.sleep(20);
  }
  const complaints = server.processes.map((started) => started.complaint()).join("\n");
  throw new Error(`Cannot use ${name}: ${ended ? "it ended" : last}\n${complaints}`.trim());
}

/** The verdict on one shape of load. */
export function judgeLines(comparison: Comparison): Verdict {
  const { subject, others } = summarize(comparison);
  const measure = `lines/s, ${comparison.program}, to ${cServer}`;
  const shape = Object.values(shapes).find(({ program }) => program === comparison.program);
  const line = others.find(({ name }) => name === cServer);
  const budget = shape?.budget ?? 1;
  if (subject.disqualified !== undefined) return notMeasured(measure, `≥ ${budget}`, `disqualified: ${subject.disqualified}`);
  if (line?.ratio === undefined) return notMeasured(measure, `≥ ${budget}`, line?.disqualified ?? `${cServer} was not run`);
  return atLeast(measure, budget, line.ratio.median);
}
