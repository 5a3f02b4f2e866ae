/**
 * All budgets, and how the figures of the program-per-request path are held against them (other measures judge their own,
 * beside them). A budget is a ratio to a peer or to the limit of the same run wherever it can be, since absolute figures are
 * the machine's as much as ours.
 */
import type { Comparison, Line } from "./measure/comparison.ts";
import { summarize } from "./measure/comparison.ts";
import type { LagReport } from "./measure/lag.ts";
import { formatNumber } from "./table.ts";

export const budgets = {
  /** Requests/s at 16 connections, over the best peer's. */
  dynamicToBestPeer: 1.1,
  dynamicToLimit: 0.8,
  staticToBestPeer: 1.0,
  /** Requests/s at 64 and 256 connections, over the subject's own at 16. */
  crowdedToOwn: 0.9,
  /** At 64 and 256 connections: p99 over p50. */
  crowdedTail: 3,
  /** p99 at 16 connections over the lowest of any peer. */
  tailToBestPeer: 1.0,
  /** Requests/s at one connection, over the best peer's. */
  singleToBestPeer: 1.0,
  /** CPU µs a request of gateway and runners, without the programs'. */
  ownCpuUs: 160,
  /** Gateway lag p99 while programs are started at full rate. */
  lagP99Ms: 5,
  /** Memory after 100 000 requests over that after 10 000. */
  memoryGrowth: 1.05,
  /** Under overload, over the same app with its queue just full: p50 and p99 of accepted requests; and memory. */
  overloadedLatency: 1.25,
  overloadedMemory: 1.1,
  /** p99 of refusals under overload. */
  refusalP99Ms: 10,
  /** A warm function, against the better proxy before the same function: requests/s, and CPU a request of all processes. */
  helloToBestProxy: 1.0,
  helloCpuToBestProxy: 0.95,
  /** A body validated in and out, against the better proxy without validation. */
  validatedToBestProxy: 0.8,
  /** p50 at one connection, against nginx's. */
  latencyToNginx: 1.0,
  /** The gateway's memory with 10 000 idle connections, MB. */
  idleConnectionsMegabytes: 150,
  /** From scaled to zero to the first answered byte, ms. */
  coldSpareP50Ms: 7,
  coldSpareP99Ms: 20,
  coldP50Ms: 20,
  frozenP50Ms: 1,
  /** PSS of an idle function instance, one of fifty; of an idle host with a spare. */
  idleInstanceMegabytes: 6,
  idleHostMegabytes: 90,
  /** The same in a container, p50. */
  containerSpareP50Ms: 8,
  containerByCrunP50Ms: 25,
  containerByRuncP50Ms: 45,
  /** Requests/s to three daemons, over each proxy before the same three. */
  proxiedToNginx: 1.0,
  proxiedToHaproxy: 0.9,
  /** Lines over TCP, against a C server that answers in the accepting process. */
  keptLinesToC: 0.45,
  deepLinesToC: 0.4,
  connectedLinesToC: 0.8,
} as const;

export type Outcome = "met" | "missed" | "not measured";

export interface Verdict {
  readonly measure: string;
  readonly budget: string;
  /** The figure, and what it is against; the reason where it was not measured. */
  readonly measured: string;
  readonly outcome: Outcome;
}

export function atLeast(measure: string, limit: number, value: number, note = ""): Verdict {
  return { measure, budget: `≥ ${limit}`, measured: shown(value, note), outcome: value >= limit ? "met" : "missed" };
}

export function atMost(measure: string, limit: number, value: number, note = "", unit = ""): Verdict {
  return { measure, budget: `≤ ${limit}${unit}`, measured: shown(value, note), outcome: value <= limit ? "met" : "missed" };
}

export function notMeasured(measure: string, budget: string, reason: string): Verdict {
  return { measure, budget, measured: reason, outcome: "not measured" };
}

function shown(value: number, note: string): string {
  return note === "" ? formatNumber(value) : `${formatNumber(value)} (${note})`;
}

/** The verdicts on one comparison with peers and limits. */
export function judgeComparison(comparison: Comparison): readonly Verdict[] {
  const { subject, others } = summarize(comparison);
  const where = `${comparison.program} ×${comparison.connections}`;
  if (subject.disqualified !== undefined)
    return [notMeasured(`requests/s, ${where}`, "no errors", `disqualified: ${subject.disqualified}`)];
  if (comparison.connections === 1) return judgeSingle(where, comparison.program, others);
  switch (comparison.program) {
    case "dynamic":
      return [
        againstBestPeer(`requests/s, ${where}`, budgets.dynamicToBestPeer, others),
        againstLimit(`requests/s, ${where}, to the limit`, budgets.dynamicToLimit, others),
        tailAgainstPeers(`p99, ${where}`, others),
        atMost(`own CPU µs a request, ${where}`, budgets.ownCpuUs, subject.ownCpuUs),
      ];
    case "static":
      return [
        againstBestPeer(`requests/s, ${where}`, budgets.staticToBestPeer, others),
        tailAgainstPeers(`p99, ${where}`, others),
        atMost(`own CPU µs a request, ${where}`, budgets.ownCpuUs, subject.ownCpuUs),
      ];
    default:
      return [];
  }
}

function judgeSingle(where: string, program: string, others: readonly Line[]): readonly Verdict[] {
  return program === "dynamic" || program === "static" ? [againstBestPeer(`requests/s, ${where}`, budgets.singleToBestPeer, others)] : [];
}

/** The best peer is the one to which the ratio is lowest. */
export function againstBestPeer(measure: string, budget: number, others: readonly Line[]): Verdict {
  const best = leastOf(others, (line) => (line.kind === "peer" ? line.ratio?.median : undefined));
  if (best === undefined) return notMeasured(measure, `≥ ${budget}`, "no peer qualified");
  return atLeast(measure, budget, best.value, `of ${best.line.name}`);
}

function againstLimit(measure: string, budget: number, others: readonly Line[]): Verdict {
  const limit = leastOf(others, (line) => (line.name === "limit (pipe)" ? line.ratio?.median : undefined));
  return limit === undefined ? notMeasured(measure, `≥ ${budget}`, "the limit was not run") : atLeast(measure, budget, limit.value);
}

/** Against the peer with the lowest p99, that is, the greatest ratio to it. */
function tailAgainstPeers(measure: string, others: readonly Line[]): Verdict {
  const best = leastOf(others, (line) => (line.kind === "peer" && line.p99Ratio !== undefined ? -line.p99Ratio.median : undefined));
  if (best === undefined) return notMeasured(measure, `≤ ${budgets.tailToBestPeer}`, "no peer qualified");
  return atMost(measure, budgets.tailToBestPeer, -best.value, `of ${best.line.name}`);
}

export function leastOf(
  lines: readonly Line[],
  figure: (line: Line) => number | undefined,
): { readonly line: Line; readonly value: number } | undefined {
  return lines
    .flatMap((line) => {
      const value = figure(line);
      return value === undefined ? [] : [{ line, value }];
    })
    .reduce<{ line: Line; value: number } | undefined>(
      (least, each) => (least === undefined || each.value < least.value ? each : least),
      undefined,
    );
}

/** The verdicts on a comparison of the subject at 16 connections with itself at more. */
export function judgeCrowded(comparison: Comparison): readonly Verdict[] {
  const { subject, others } = summarize(comparison);
  return others.flatMap((line) => {
    const where = `${comparison.program} ${line.name}`;
    if (line.ratio === undefined) {
      const reason = line.disqualified ?? subject.disqualified ?? "no rounds";
      return [notMeasured(`requests/s, ${where}, to its own ×16`, `≥ ${budgets.crowdedToOwn}`, `disqualified: ${reason}`)];
    }
    return [
      atLeast(`requests/s, ${where}, to its own ×16`, budgets.crowdedToOwn, 1 / line.ratio.median),
      atMost(`p99 to p50, ${where}`, budgets.crowdedTail, line.p99Us / line.p50Us),
    ];
  });
}

export function judgeLag(report: LagReport): Verdict {
  const measure = `gateway lag p99, ms, dynamic ×${report.connections}`;
  const budget = `≤ ${budgets.lagP99Ms}`;
  if (report.faults.length > 0) return notMeasured(measure, budget, report.faults.join("; "));
  return atMost(
    measure,
    budgets.lagP99Ms,
    report.gateway.p99Us / 1_000,
    `an idle server beside it: ${formatNumber(report.control.p99Us / 1_000)}`,
  );
}
