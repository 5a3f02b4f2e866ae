/** What the bench prints and keeps: tables in the terminal, every raw figure as JSON. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Verdict } from "./budgets.ts";
import { summarize, type Comparison, type Line } from "./measure/comparison.ts";
import type { MemoryLine, StartSeries } from "./cold-start.ts";
import type { IdleConnections } from "./measure/idle-connections.ts";
import type { LagReport } from "./measure/lag.ts";
import type { LoadReport } from "./measure/load-client.ts";
import { errorsOf, misdeedWords, type NeighbourRound, type NeighbourSeries } from "./neighbours.ts";
import { median, percentile, type Spread } from "./statistics.ts";
import { formatNumber, formatTable } from "./table.ts";

/** The machine, as far as figures depend on it; nothing that names it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly bun: string;
  /** Load average over a minute when the run began: above 0.5 the figures are somebody else's too. */
  readonly loadBefore: number;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    bun: Bun.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function describeMachine(machine: Machine): string {
  const memory = formatNumber(machine.memoryBytes / 2 ** 30);
  return `${machine.cores} × ${machine.cpu}, ${memory} GiB, Linux ${machine.kernel}, Bun ${machine.bun}, load before ${machine.loadBefore.toFixed(2)}`;
}

/** What a table calls things. */
interface Words {
  /** What is counted. */
  readonly asked?: string;
  readonly own?: string;
  /** Whose CPU is told apart from the system's own. */
  readonly programs?: string;
}

/** The subject first, then the others with the subject's ratio to each. */
export function comparisonTable(
  comparison: Comparison,
  { asked = "requests", own = "own CPU µs", programs: theirs = "programs' CPU µs" }: Words = {},
): string {
  const { subject, others } = summarize(comparison);
  const lines = [subject, ...others];
  const rounds = comparison.pairs[0]?.rounds.length ?? 0;
  const programs = lines.some(({ programsCpuUs }) => programsCpuUs !== undefined);
  const cpu = programs ? [own, theirs] : ["CPU µs"];
  const head = ["system", `${asked}/s`, "p50 ms", "p99 ms", ...cpu, `${comparison.subject} to it`];
  const title = `${comparison.program}, ${plural(comparison.connections, "connection")} (medians of ${plural(rounds, "round")})`;
  return `${title}\n\n${formatTable(
    head,
    lines.map((line) => lineCells(line, programs)),
  )}\n`;
}

function lineCells(line: Line, programs: boolean): readonly (string | number)[] {
  const cpu = programs ? [line.ownCpuUs, line.programsCpuUs ?? Number.NaN] : [line.ownCpuUs];
  const figures = [line.perSecond.median, line.p50Us / 1_000, line.p99Us / 1_000, ...cpu];
  if (line.disqualified !== undefined) return [line.name, ...figures, `disqualified: ${line.disqualified}`];
  return [line.name, ...figures, line.ratio === undefined ? "" : formatSpread(line.ratio)];
}

/** "1.12 (1.05–1.2)" */
export function formatSpread({ median: middle, low, high }: Spread): string {
  return `${formatNumber(middle)} (${formatNumber(low)}–${formatNumber(high)})`;
}

export function lagTable(report: LagReport): string {
  const row = (name: string, latencies: LagReport["gateway"]): readonly (string | number)[] => [
    name,
    latencies.p50Us / 1_000,
    latencies.p99Us / 1_000,
    latencies.maxUs / 1_000,
  ];
  const title = `gateway lag: an unknown path asked for every 10 ms during dynamic, ${plural(report.connections, "connection")}`;
  return `${title}\n\n${formatTable(["answered by", "p50 ms", "p99 ms", "max ms"], [row("the gateway", report.gateway), row("an idle server beside it", report.control)])}\n`;
}

/** @param state what the connections are. */
export function idleTable(all: readonly IdleConnections[], state = "connections are idle"): string {
  const connections = all[0]?.connections ?? 0;
  const rows = all.map(({ system, before, during, faults }) => [
    system,
    before.rssBytes / 1e6,
    during.rssBytes / 1e6,
    during.pssBytes / 1e6,
    (during.rssBytes - before.rssBytes) / connections,
    faults.join("; "),
  ]);
  const head = ["system", "MB before", "MB resident", "MB proportional", "bytes a connection", "faults"];
  return `memory of the gateway or proxy while ${connections} ${state}\n\n${formatTable(head, rows)}\n`;
}

export function startsTable(starts: readonly StartSeries[]): string {
  const rows = starts.map(({ name, us, faults }) => {
    const figure = (part: number): number => (us.length === 0 ? Number.NaN : percentile(us, part) / 1_000);
    return [
      name,
      us.length,
      figure(0.5),
      figure(0.99),
      figure(0),
      figure(1),
      faults[0] === undefined ? "" : `${faults.length}: ${faults[0]}`,
    ];
  });
  const head = ["start", "runs", "p50 ms", "p99 ms", "least", "most", "faults"];
  return `from nothing running to the first answered byte\n\n${formatTable(head, rows)}\n`;
}

/** The measured app beside each misdeed, and what the bad neighbour got of it. */
export function neighboursTable(all: readonly NeighbourSeries[]): string {
  const rows = all.flatMap(({ misdeed, rounds }) => {
    const of = (figure: (round: NeighbourRound) => number): number => median(rounds.map(figure));
    const row = (name: string, report: (round: NeighbourRound) => LoadReport, deed: readonly (string | number)[]) => [
      name,
      of((round) => report(round).accepted.p50Us) / 1_000,
      of((round) => report(round).accepted.p99Us) / 1_000,
      of((round) => report(round).accepted.maxUs) / 1_000,
      rounds.reduce((sum, round) => sum + errorsOf(report(round)), 0),
      ...deed,
    ];
    return [
      row("alone", ({ alone }) => alone, ["", ""]),
      row(`beside ${misdeedWords[misdeed]}`, ({ beside }) => beside, [formatNumber(of(({ deed }) => deed.cpus)), endsOf(rounds)]),
    ];
  });
  const head = ["the app", "p50 ms", "p99 ms", "max ms", "errors", "the neighbour's CPUs", "it was answered"];
  const rounds = all[0]?.rounds.length ?? 0;
  return `an app beside another that does what it must not (medians of ${plural(rounds, "round")})\n\n${formatTable(head, rows)}\n`;
}

/** "12 × 502" */
function endsOf(rounds: readonly NeighbourRound[]): string {
  const counts = new Map<string, number>();
  for (const { deed } of rounds)
    for (const [answer, count] of Object.entries(deed.answers)) counts.set(answer, (counts.get(answer) ?? 0) + count);
  return [...counts].map(([answer, count]) => `${count} × ${answer}`).join(", ") || "never";
}

export function idleMemoryTable(memory: readonly MemoryLine[]): string {
  const rows = memory.map(({ name, processes, rssBytes, pssBytes, fault }) => [
    name,
    processes,
    rssBytes / 1e6,
    pssBytes / 1e6,
    fault ?? "",
  ]);
  return `idle memory\n\n${formatTable(["what", "processes", "MB resident", "MB proportional", "fault"], rows)}\n`;
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return `budgets\n\n${formatTable(
    ["measure", "budget", "measured", "verdict"],
    verdicts.map(({ measure, budget, measured, outcome }) => [measure, budget, measured, outcome]),
  )}\n`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Writes a report as JSON, and says where. */
export function keep(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, null, 1)}\n`);
}

export interface RanAt {
  /** RFC 3339, UTC. */
  readonly date: string;
  readonly version: string;
  readonly machine: Machine;
}

export function ranNow(): RanAt {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return { date: new Date().toISOString(), version, machine: thisMachine() };
}
