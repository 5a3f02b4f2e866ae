/** `stage-memory`: memory of the gateway and its runners after 10 000 requests against after 100 000. */
import { atMost, budgets, type Verdict } from "./budgets.ts";
import type { Progress } from "./measure/comparison.ts";
import { faultsOf, runLoad } from "./measure/load-client.ts";
import { programQuestion, untilAnswered, type Server, type ServerKind } from "./measure/server.ts";
import type { Ground } from "./process/ground.ts";
import { memoryOf, processTree } from "./process/proc-stat.ts";
import { median } from "./statistics.ts";

export interface MemoryOptions {
  readonly subject: ServerKind;
  /** The first reading is after so many requests, and one more after each as many. */
  readonly step: number;
  readonly steps: number;
  readonly connections: number;
}

export interface MemoryReading {
  readonly requests: number;
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly processes: number;
}

export interface MemoryReport {
  readonly readings: readonly MemoryReading[];
  readonly faults: readonly string[];
  readonly verdicts: readonly Verdict[];
}

export const defaultMemoryOptions = { step: 10_000, steps: 10, connections: 16 };

/** No step takes as long; a server that is stuck ends the run by its unanswered requests. */
const stepSecondsMax = 300;

export async function runStageMemory(ground: Ground, options: MemoryOptions, progress: Progress): Promise<MemoryReport> {
  const server = await options.subject.start(ground);
  const question = programQuestion("static");
  await untilAnswered(options.subject.name, server, question);
  const load = { ...question, port: server.port, warmUpSeconds: 0, seconds: stepSecondsMax, connections: options.connections };
  const readings: MemoryReading[] = [];
  const faults: string[] = [];
  for (let step = 1; step <= options.steps && faults.length === 0; step++) {
    faults.push(...faultsOf(await runLoad(ground, { ...load, requests: options.step })));
    const reading = await readMemory(server, step * options.step);
    readings.push(reading);
    progress(`after ${reading.requests} requests: ${mebibytes(reading.rssBytes)} MiB resident in ${reading.processes} processes`);
  }
  return { readings, faults, verdicts: faults.length > 0 ? [] : judge(readings) };
}

function judge(readings: readonly MemoryReading[]): readonly Verdict[] {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined) return [];
  const note = (part: "rssBytes" | "pssBytes"): string => `${mebibytes(first[part])} → ${mebibytes(last[part])} MiB`;
  const name = `after ${last.requests} requests over after ${first.requests}`;
  const rss = atMost(`resident memory ${name}`, budgets.memoryGrowth, last.rssBytes / first.rssBytes, note("rssBytes"));
  // Absent where /proc/PID/smaps_rollup may not be read.
  return first.pssBytes === 0
    ? [rss]
    : [rss, atMost(`proportional memory ${name}`, budgets.memoryGrowth, last.pssBytes / first.pssBytes, note("pssBytes"))];
}

/** The median of ten looks over half a second of idleness: collectors run when they like. */
export async function readMemory(server: Server, requests: number): Promise<MemoryReading> {
  const roots = server.processes.map(({ pid }) => pid);
  const looks: MemoryReading[] = [];
  for (let look = 0; look < 10; look++) {
    await Bun.sleep(50);
    const pids = processTree(roots).map(({ pid }) => pid);
    looks.push({ requests, ...memoryOf(pids), processes: pids.length });
  }
  const of = (figure: (reading: MemoryReading) => number): number => median(looks.map(figure));
  return { requests, rssBytes: of((l) => l.rssBytes), pssBytes: of((l) => l.pssBytes), processes: of((l) => l.processes) };
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
