/**
 * `stage`: the program-per-request path against its peers and its limit. For each kind of program at 16 connections and
 * at one; for C programs also at 64 and 256 against its own figure at 16; then the gateway's lag while it starts programs.
 */
import { judgeComparison, judgeCrowded, judgeLag, type Verdict } from "./budgets.ts";
import { compare, type Comparison, type Opponent, type Progress } from "./measure/comparison.ts";
import { limitSystem } from "./measure/limit.ts";
import { measureLag, type LagReport } from "./measure/lag.ts";
import { serverSystem, type ServerKind, type ServerSystem } from "./measure/server.ts";
import { peers } from "./peers/peers.ts";
import type { Ground } from "./process/ground.ts";
import type { Load, Program, System } from "./system.ts";

export interface StageOptions {
  readonly programs: readonly Program[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly subject: ServerKind;
  /** Names of the peers to run against. */
  readonly against: readonly string[];
}

export interface StageReport {
  /** Against peers and limits. */
  readonly comparisons: readonly Comparison[];
  /** At 64 and 256 connections against itself at 16. */
  readonly crowded: readonly Comparison[];
  /** An sh program that replies by curl, against one that replies by the static helper. */
  readonly curl?: Comparison;
  readonly lag?: LagReport;
  readonly verdicts: readonly Verdict[];
}

const usualConnections = 16;
const crowds = [64, 256];
const limits = ["pipe", "socket"] as const;

export async function runStage(ground: Ground, options: StageOptions, progress: Progress): Promise<StageReport> {
  const subject = serverSystem(ground, options.subject);
  const others = peers.filter(({ name }) => options.against.includes(name)).map((kind) => serverSystem(ground, kind));
  progress(`this takes about ${Math.ceil(expectedSeconds(options) / 60)} min`);
  await warmUp(subject, options);
  const comparisons = await comparePrograms(ground, subject, others, options, progress);
  const crowded = await compareCrowds(subject, options, progress);
  const curl = options.programs.includes("sh") ? await compareCurl(subject, options, progress) : undefined;
  const lag = options.programs.includes("dynamic") ? await lagOf(ground, subject, options, progress) : undefined;
  const verdicts = [
    ...comparisons.flatMap(judgeComparison),
    ...crowded.flatMap(judgeCrowded),
    ...(lag === undefined ? [] : [judgeLag(lag)]),
  ];
  return { comparisons, crowded, verdicts, ...(curl === undefined ? {} : { curl }), ...(lag === undefined ? {} : { lag }) };
}

function loadOf({ seconds, warmUpSeconds }: StageOptions, program: string, connections: number): Load {
  return { program, connections, seconds, warmUpSeconds };
}

/** Two runs a pair, with what starting clients and waiting for idleness adds. */
function expectedSeconds({ programs, against, rounds, seconds, warmUpSeconds }: StageOptions): number {
  const crowded = programs.filter((program) => program === "dynamic" || program === "static").length * crowds.length;
  const pairs = programs.length * 2 * (against.length + limits.length) + crowded + 2;
  return pairs * rounds * 2 * (seconds + warmUpSeconds + 0.1);
}

/** So that the first round finds the subject's code compiled and its instances started, as the later ones do. */
async function warmUp(subject: System, options: StageOptions): Promise<void> {
  await subject.measure({ ...loadOf(options, options.programs[0] ?? "dynamic", usualConnections), seconds: 1, warmUpSeconds: 0 });
}

async function comparePrograms(
  ground: Ground,
  subject: System,
  others: readonly System[],
  options: StageOptions,
  progress: Progress,
): Promise<readonly Comparison[]> {
  const opponents = [...others, ...limits.map((reply) => limitSystem(ground, reply))].map((system) => ({ system }));
  const comparisons: Comparison[] = [];
  for (const program of options.programs)
    for (const connections of [usualConnections, 1])
      comparisons.push(await compare(subject, opponents, loadOf(options, program, connections), options.rounds, progress));
  return comparisons;
}

async function compareCrowds(subject: System, options: StageOptions, progress: Progress): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const program of options.programs) {
    if (program !== "dynamic" && program !== "static") continue;
    const opponents: readonly Opponent[] = crowds.map((connections) => ({
      system: subject,
      load: loadOf(options, program, connections),
      label: `×${connections}`,
    }));
    comparisons.push(await compare(subject, opponents, loadOf(options, program, usualConnections), options.rounds, progress));
  }
  return comparisons;
}

function compareCurl(subject: System, options: StageOptions, progress: Progress): Promise<Comparison> {
  const opponent = { system: subject, load: loadOf(options, "sh-curl", usualConnections), label: "sh + curl" };
  return compare(subject, [opponent], loadOf(options, "sh", usualConnections), options.rounds, progress);
}

async function lagOf(ground: Ground, subject: ServerSystem, options: StageOptions, progress: Progress): Promise<LagReport> {
  progress("gateway lag");
  const load = loadOf(options, "dynamic", crowds[0] ?? usualConnections);
  return measureLag(ground, subject.name, await subject.server(), load, options.rounds);
}
