/**
 * Compares a subject with others, pair by pair: A B, B A, A B, … Each round of each pair is run side by side, so that a
 * ratio is of two runs a few seconds apart; the median of these ratios is what is claimed.
 */
import { firstOfPair, median, pairedRatio, spreadOf, type Spread } from "../statistics.ts";
import { perSecond, type Load, type Sample, type System } from "../system.ts";

export interface Pair {
  readonly other: string;
  readonly kind: System["kind"];
  readonly rounds: readonly { readonly subject: Sample; readonly other: Sample }[];
}

/** All raw samples of one program at one concurrency. */
export interface Comparison {
  readonly program: string;
  readonly connections: number;
  readonly subject: string;
  readonly pairs: readonly Pair[];
}

export interface Opponent {
  readonly system: System;
  /** Default: the same load as the subject's. */
  readonly load?: Load;
  /** Default: the system's name. */
  readonly label?: string;
}

export type Progress = (line: string) => void;

export async function compare(
  subject: System,
  opponents: readonly Opponent[],
  load: Load,
  rounds: number,
  progress: Progress,
): Promise<Comparison> {
  const pairs: { other: string; kind: System["kind"]; rounds: { subject: Sample; other: Sample }[] }[] = opponents.map(
    ({ system, label }) => ({ other: label ?? system.name, kind: system.kind, rounds: [] }),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [at, opponent] of opponents.entries()) {
      const samples = await runPair(subject, opponent, load, round);
      const pair = pairs[at];
      pair?.rounds.push(samples);
      progress(
        `${load.program} ×${load.connections}, round ${round + 1}/${rounds}: ${told(subject.name, samples.subject)}, ${told(pair?.other ?? "", samples.other)}`,
      );
    }
  }
  return { program: load.program, connections: load.connections, subject: subject.name, pairs };
}

async function runPair(
  subject: System,
  { system, load: own }: Opponent,
  load: Load,
  round: number,
): Promise<{ subject: Sample; other: Sample }> {
  if (firstOfPair(round) === "subject") {
    const first = await subject.measure(load);
    return { subject: first, other: await system.measure(own ?? load) };
  }
  const first = await system.measure(own ?? load);
  return { subject: await subject.measure(load), other: first };
}

function told(name: string, sample: Sample): string {
  return `${name} ${Math.round(perSecond(sample))}/s${sample.faults.length > 0 ? ` (${sample.faults.join("; ")})` : ""}`;
}

/** A system's line in a comparison's table: medians of its rounds. */
export interface Line {
  readonly name: string;
  readonly kind: System["kind"];
  readonly perSecond: Spread;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly ownCpuUs: number;
  readonly programsCpuUs?: number;
  /** Subject's requests/s over this system's, of each pair; absent for the subject. */
  readonly ratio?: Spread;
  /** Subject's p50 over this system's. */
  readonly p50Ratio?: Spread;
  /** Subject's p99 over this system's. */
  readonly p99Ratio?: Spread;
  /** Subject's CPU per request over this system's; absent where one used too little to be seen. */
  readonly cpuRatio?: Spread;
  /** Why its figures do not count. */
  readonly disqualified?: string;
}

/** The subject's line and one for each other, in the order of the pairs. A system with any fault in any round is disqualified. */
export function summarize(comparison: Comparison): { readonly subject: Line; readonly others: readonly Line[] } {
  const all = comparison.pairs.flatMap(({ rounds }) => rounds.map(({ subject }) => subject));
  const subject = lineOf(comparison.subject, "subject", all);
  const others = comparison.pairs.map(({ other, kind, rounds }) => {
    const line = lineOf(
      other,
      kind,
      rounds.map((round) => round.other),
    );
    if (line.disqualified !== undefined || subject.disqualified !== undefined) return line;
    const ratio = (figure: (sample: Sample) => number): Spread =>
      pairedRatio(
        rounds.map((round) => figure(round.subject)),
        rounds.map((round) => figure(round.other)),
      );
    const cpuSeen = rounds.every((round) => round.subject.ownCpuUs > 0 && round.other.ownCpuUs > 0);
    return {
      ...line,
      ratio: ratio(perSecond),
      p50Ratio: ratio((sample) => sample.p50Us),
      p99Ratio: ratio((sample) => sample.p99Us),
      ...(cpuSeen ? { cpuRatio: ratio((sample) => sample.ownCpuUs) } : {}),
    };
  });
  return { subject, others };
}

function lineOf(name: string, kind: System["kind"], samples: readonly Sample[]): Line {
  const of = (figure: (sample: Sample) => number): number => median(samples.map(figure));
  const programs = samples.flatMap(({ programsCpuUs }) => programsCpuUs ?? []);
  const fault = samples.flatMap(({ faults }) => faults)[0];
  return {
    name,
    kind,
    perSecond: spreadOf(samples.map(perSecond)),
    p50Us: of((sample) => sample.p50Us),
    p99Us: of((sample) => sample.p99Us),
    ownCpuUs: of((sample) => sample.ownCpuUs),
    ...(programs.length > 0 ? { programsCpuUs: median(programs) } : {}),
    ...(fault === undefined ? {} : { disqualified: fault }),
  };
}
