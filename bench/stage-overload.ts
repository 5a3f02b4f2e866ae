/**
 * `stage-overload`: ten times more requests than the app can serve, in an open loop that does not slow down when it is
 * refused. What is accepted should take as long as when the queue is only just full; the rest should be refused at once.
 */
import { atMost, budgets, type Verdict } from "./budgets.ts";
import type { Progress } from "./measure/comparison.ts";
import { faultsOf, runLoad, type Latencies, type LoadReport } from "./measure/load-client.ts";
import { programQuestion, untilAnswered, type Server, type ServerKind } from "./measure/server.ts";
import type { Ground } from "./process/ground.ts";
import { memoryOf, processTree } from "./process/proc-stat.ts";
import { mebibytes, readMemory, type MemoryReading } from "./stage-memory.ts";
import { formatNumber } from "./table.ts";

export interface OverloadOptions {
  readonly subject: ServerKind;
  readonly program: string;
  /** As the app's `concurrency`: so many connections use it fully, with nothing in the queue. */
  readonly connections: number;
  /** Over capacity by so little that the queue is full and few are refused. */
  readonly slightly: number;
  readonly times: number;
  readonly seconds: number;
}

export interface OverloadReport {
  /** A closed loop at the app's concurrency: what it can serve. */
  readonly capacity: LoadReport;
  /** The queue just full: what an accepted request then takes. */
  readonly justFull: LoadReport;
  readonly overloaded: LoadReport;
  readonly offeredPerSecond: number;
  readonly memoryBefore: MemoryReading;
  readonly memoryPeakBytes: number;
  readonly faults: readonly string[];
  readonly verdicts: readonly Verdict[];
}

/** As apps/overload has it: 16 places, and as many in the queue. */
export const overloadConcurrency = 16;
export const defaultOverloadOptions = { program: "php", connections: overloadConcurrency, slightly: 1.5, times: 10 };

const connectionsMax = 4_096;

export async function runStageOverload(ground: Ground, options: OverloadOptions, progress: Progress): Promise<OverloadReport> {
  const server = await options.subject.start(ground);
  const question = programQuestion(options.program);
  await untilAnswered(options.subject.name, server, question);
  const load = { ...question, port: server.port, seconds: options.seconds, warmUpSeconds: 1 };
  const capacity = await runLoad(ground, { ...load, connections: options.connections });
  const perSecond = capacity.accepted.count / capacity.seconds;
  progress(`capacity: ${Math.round(perSecond)} requests/s`);
  const offer = (times: number) =>
    runLoad(ground, { ...load, connections: connectionsMax, rate: Math.max(1, times * perSecond), refusal: 503 });
  const justFull = await offer(options.slightly);
  const memoryBefore = await readMemory(server, capacity.answered + justFull.answered);
  progress(`${options.times} × overload`);
  const watch = watchMemory(server);
  const overloaded = await offer(options.times);
  const report = {
    capacity,
    justFull,
    overloaded,
    memoryBefore,
    offeredPerSecond: options.times * perSecond,
    memoryPeakBytes: watch.stop(),
    faults: [capacity, justFull, overloaded].flatMap(faultsOf),
  };
  return { ...report, verdicts: report.faults.length > 0 ? [] : judge(report) };
}

/** The server's own processes when the watch began; programs come and go beside them. */
function watchMemory(server: Server): { stop(): number } {
  const pids = processTree(server.processes.map(({ pid }) => pid)).map(({ pid }) => pid);
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, memoryOf(pids).rssBytes)), 100);
  return {
    stop: () => {
      clearInterval(timer);
      return peak;
    },
  };
}

function judge({ justFull, overloaded, memoryBefore, memoryPeakBytes }: Omit<OverloadReport, "verdicts">): readonly Verdict[] {
  const shown = (us: number): string => formatNumber(us / 1_000);
  const accepted = (name: "p50" | "p99"): Verdict => {
    const [before, under] = [justFull.accepted[`${name}Us`], overloaded.accepted[`${name}Us`]];
    const measure = `${name} of accepted, overloaded over just full`;
    return atMost(measure, budgets.overloadedLatency, under / before, `${shown(before)} → ${shown(under)} ms`);
  };
  const memory = `${mebibytes(memoryBefore.rssBytes)} → ${mebibytes(memoryPeakBytes)} MiB`;
  return [
    accepted("p50"),
    accepted("p99"),
    atMost("p99 of refusals, ms", budgets.refusalP99Ms, overloaded.refused.p99Us / 1_000, `${overloaded.refused.count} refused`),
    atMost("resident memory, peak of overload over before", budgets.overloadedMemory, memoryPeakBytes / memoryBefore.rssBytes, memory),
  ];
}

/** Answers/s and latencies of each load, accepted and refused. */
export function overloadRows({ capacity, justFull, overloaded }: OverloadReport): readonly (readonly (string | number)[])[] {
  const row = (name: string, { seconds }: LoadReport, { count, p50Us, p99Us, maxUs }: Latencies): readonly (string | number)[] => [
    name,
    count / seconds,
    p50Us / 1_000,
    p99Us / 1_000,
    maxUs / 1_000,
  ];
  return [
    row("at capacity", capacity, capacity.accepted),
    row("just full: accepted", justFull, justFull.accepted),
    row("just full: refused", justFull, justFull.refused),
    row("overloaded: accepted", overloaded, overloaded.accepted),
    row("overloaded: refused", overloaded, overloaded.refused),
  ];
}
