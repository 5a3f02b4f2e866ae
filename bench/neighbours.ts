/**
 * `neighbours`: how long an app in a container takes to answer while another beside it does what it must not, within its limits: it
 * forks without end, takes all memory, fills its /tmp, spins. Each is measured next to a run in which the neighbour is quiet.
 */
import { copyFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { atMost, notMeasured, type Verdict } from "./budgets.ts";
import { benchFolder, buildFolder } from "./measure/build-folder.ts";
import type { Progress } from "./measure/comparison.ts";
import { faultsOf, runLoad, type LoadReport } from "./measure/load-client.ts";
import { untilAnswered, type Server } from "./measure/server.ts";
import { functionQuestion } from "./functions.ts";
import { startUrocket } from "./peers/urocket.ts";
import type { Ground } from "./process/ground.ts";
import { groupCpuUs, instancesOf } from "./process/host-processes.ts";
import { readProcesses } from "./process/proc-stat.ts";
import { firstOfPair, median } from "./statistics.ts";
import { formatNumber } from "./table.ts";

/** Each by the name that --only knows it by, and that apps/wild and programs/misdeed.c do. */
export const misdeeds = ["fork", "memory", "disk", "cpu"] as const;
export type Misdeed = (typeof misdeeds)[number];

export const misdeedWords: Readonly<Record<Misdeed, string>> = {
  fork: "a fork bomb",
  memory: "a memory hog",
  disk: "a disk filler",
  cpu: "a CPU spinner",
};

export interface NeighboursOptions {
  readonly parts: readonly Misdeed[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Why there can be no containers here; undefined: there can. */
  readonly containersLack: string | undefined;
}

/** What the bad neighbour got and had to hear during one run. */
export interface Deed {
  /** Of its container, with the runner. */
  readonly cpus: number;
  /** How often it was ended and asked anew, by what the host answered. */
  readonly answers: Readonly<Record<string, number>>;
}

export interface NeighbourRound {
  readonly alone: LoadReport;
  readonly beside: LoadReport;
  readonly deed: Deed;
}

export interface NeighbourSeries {
  readonly misdeed: Misdeed;
  readonly rounds: readonly NeighbourRound[];
}

export interface NeighboursReport {
  readonly series: readonly NeighbourSeries[];
  readonly verdicts: readonly Verdict[];
}

/** An open loop, so that nothing that is slow keeps others from being asked. */
const requestsPerSecond = 500;
/** More than a second's stall takes. */
const connectionsMax = 1024;
/** From the misdeed's first moment until the load begins. */
const headStartMs = 200;
const patienceMs = 10_000;
const lookEveryMs = 100;

export async function runNeighbours(ground: Ground, options: NeighboursOptions, progress: Progress): Promise<NeighboursReport> {
  const { parts, rounds, containersLack } = options;
  if (containersLack !== undefined)
    return { series: [], verdicts: parts.map((misdeed) => notMeasured(errorsMeasure(misdeed), "≤ 0", containersLack)) };
  const street = await Street.open(ground);
  const all = parts.map((misdeed) => ({ misdeed, rounds: [] as NeighbourRound[] }));
  for (let round = 0; round < rounds; round++) {
    for (const series of all) {
      const sample = await street.measure(series.misdeed, round, options);
      series.rounds.push(sample);
      progress(
        `${misdeedWords[series.misdeed]}, round ${round + 1}/${rounds}: p99 ${sample.alone.accepted.p99Us} µs alone, ${sample.beside.accepted.p99Us} beside it`,
      );
    }
  }
  return { series: all, verdicts: all.map(judgeNeighbour) };
}

/** A host with both apps. */
class Street {
  readonly #ground: Ground;
  readonly #server: Server;
  readonly #host: number;
  /** Instances of the app that is measured; all others are the bad neighbour's. */
  readonly #measured: ReadonlySet<string>;

  private constructor(ground: Ground, server: Server) {
    this.#ground = ground;
    this.#server = server;
    this.#host = server.processes[0]?.pid ?? 0;
    this.#measured = new Set(instancesOf(this.#host).keys());
  }

  static async open(ground: Ground): Promise<Street> {
    const wild = join(ground.folder, "wild");
    cpSync(join(benchFolder, "apps/wild"), wild, { recursive: true });
    copyFileSync(join(buildFolder, "misdeed"), join(wild, "misdeed"));
    const server = startUrocket(ground, "neighbours", [join(benchFolder, "apps/functions"), wild], {
      flags: ["--sandbox", "container", "--spares", "0", "--requests", "failed"],
    });
    await untilAnswered("the measured app", server, functionQuestion("hello"));
    return new Street(ground, server);
  }

  async measure(misdeed: Misdeed, round: number, options: NeighboursOptions): Promise<NeighbourRound> {
    if (firstOfPair(round) === "subject") return { alone: await this.#load(options), ...(await this.#beside(misdeed, options)) };
    const beside = await this.#beside(misdeed, options);
    return { alone: await this.#load(options), ...beside };
  }

  async #beside(misdeed: Misdeed, options: NeighboursOptions): Promise<Pick<NeighbourRound, "beside" | "deed">> {
    const ending = new AbortController();
    const answering = this.#misdo(misdeed, ending.signal);
    await this.#until(misdeed, true);
    await Bun.sleep(headStartMs);
    const watch = new CpuWatch(() => this.#wildGroups());
    const beside = await this.#load(options);
    const cpus = watch.end();
    ending.abort();
    const answers = await answering;
    await this.#until(misdeed, false);
    return { beside, deed: { cpus, answers } };
  }

  #load({ seconds, warmUpSeconds }: NeighboursOptions): Promise<LoadReport> {
    const times = { seconds, warmUpSeconds, rate: requestsPerSecond, connections: connectionsMax };
    return runLoad(this.#ground, { ...functionQuestion("hello"), ...times, port: this.#server.port });
  }

  /** Asks for it again whenever it was ended. */
  async #misdo(misdeed: Misdeed, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
    const answers: Record<string, number> = {};
    while (!signal.aborted) {
      const answer = await fetch(`http://127.0.0.1:${this.#server.port}/wild/${misdeed}`, { signal }).then(
        async (response) => (await response.arrayBuffer(), String(response.status)),
        (error: unknown) => (signal.aborted ? undefined : String(error)),
      );
      if (answer !== undefined) answers[answer] = (answers[answer] ?? 0) + 1;
    }
    return answers;
  }

  /** Pids of each of the bad neighbour's instances. */
  #wildGroups(): readonly (readonly [string, readonly number[]])[] {
    return [...instancesOf(this.#host)].filter(([instance]) => !this.#measured.has(instance));
  }

  async #until(misdeed: Misdeed, isWanted: boolean): Promise<void> {
    const givenUpAt = Date.now() + patienceMs;
    const goesOn = (): boolean =>
      readProcesses(this.#wildGroups().flatMap(([, pids]) => pids)).some(({ command, state }) => command === "misdeed" && state !== "Z");
    while (goesOn() !== isWanted) {
      if (Date.now() > givenUpAt)
        throw new Error(`${misdeedWords[misdeed]} ${isWanted ? "was not started" : "goes on though its request has ended"}`);
      await Bun.sleep(lookEveryMs / 10);
    }
  }
}

/** Pids by the names of instances. */
type Groups = () => readonly (readonly [string, readonly number[]])[];

/** How much CPU some instances take, those too that come and go meanwhile. */
class CpuWatch {
  readonly #groups: Groups;
  readonly #first = new Map<string, number>();
  readonly #last = new Map<string, number>();
  readonly #began = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(groups: Groups) {
    this.#groups = groups;
    this.#look((instance, us) => this.#first.set(instance, us));
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
  }

  #look(first: (instance: string, us: number) => void = () => undefined): void {
    for (const [instance, pids] of this.#groups()) {
      const us = pids.map(groupCpuUs).find((each) => each !== undefined);
      if (us === undefined) continue;
      first(instance, us);
      this.#last.set(instance, us);
    }
  }

  /** @returns CPUs, on average. */
  end(): number {
    clearInterval(this.#timer);
    this.#look();
    const us = [...this.#last].reduce((sum, [instance, last]) => sum + last - (this.#first.get(instance) ?? 0), 0);
    return us / 1_000 / (performance.now() - this.#began);
  }
}

/** Requests that were not answered rightly. */
export function errorsOf(report: LoadReport): number {
  const { wrong, closedUnanswered, connectFailures, notSent, unanswered } = report;
  return wrong + closedUnanswered + connectFailures + notSent + unanswered;
}

export function judgeNeighbour({ misdeed, rounds }: NeighbourSeries): Verdict {
  const reports = rounds.flatMap(({ alone, beside }) => [alone, beside]);
  const errors = reports.reduce((sum, report) => sum + errorsOf(report), 0);
  if (errors > 0) return atMost(errorsMeasure(misdeed), 0, errors, reports.flatMap(faultsOf).join("; "));
  const p99 = (of: (round: NeighbourRound) => LoadReport): string =>
    formatNumber(median(rounds.map((round) => of(round).accepted.p99Us)) / 1_000);
  return atMost(errorsMeasure(misdeed), 0, 0, `p99 ${p99(({ alone }) => alone)} ms alone, ${p99(({ beside }) => beside)} beside it`);
}

function errorsMeasure(misdeed: Misdeed): string {
  return `errors beside ${misdeedWords[misdeed]}`;
}
