/** What the bench prints and keeps: tables in the terminal, every raw figure as JSON. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Verdict } from "./budgets.ts";
import { summarize, type Comparison, type Line } from "./measure/comparison.ts";
import type { LagReport } from "./measure/lag.ts";
import type { Spread } from "./statistics.ts";
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

/** The subject first, then the others with the subject's ratio to each. */
export function comparisonTable(comparison: Comparison): string {
  const { subject, others } = summarize(comparison);
  const rounds = comparison.pairs[0]?.rounds.length ?? 0;
  const head = ["system", "requests/s", "p50 ms", "p99 ms", "own CPU µs", "programs' CPU µs", `${comparison.subject} to it`];
  const title = `${comparison.program}, ${plural(comparison.connections, "connection")} (medians of ${plural(rounds, "round")})`;
  return `${title}\n\n${formatTable(head, [subject, ...others].map(lineCells))}\n`;
}

function lineCells(line: Line): readonly (string | number)[] {
  const figures = [line.perSecond.median, line.p50Us / 1_000, line.p99Us / 1_000, line.ownCpuUs, line.programsCpuUs ?? Number.NaN];
  if (line.disqualified !== undefined) return [line.name, ...figures, `disqualified: ${line.disqualified}`];
  return [line.name, ...figures, line.ratio === undefined ? "" : formatSpread(line.ratio)];
}

/** "1.12 (1.05–1.2)" */
export function formatSpread({ median, low, high }: Spread): string {
  return `${formatNumber(median)} (${formatNumber(low)}–${formatNumber(high)})`;
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
