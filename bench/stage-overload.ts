/**
 * `stage-overload`: ten times more requests than the app can serve, in an open loop that does not slow down when it is
 * refused. What is accepted should take as long as at full use without overload; what is not should be refused at once.
 */
import { atMost, budgets, type Verdict } from "./budgets.ts";
import type { Progress } from "./measure/comparison.ts";
import { faultsOf, runLoad, type LoadReport } from "./measure/load-client.ts";
import { expectedBody, pathOf, untilAnswered, type Server, type ServerKind } from "./measure/server.ts";
import type { Ground } from "./process/ground.ts";
import { memoryOf, processTree } from "./process/proc-stat.ts";
import { mebibytes, readMemory, type MemoryReading } from "./stage-memory.ts";
import { formatNumber } from "./table.ts";

export interface OverloadOptions {
  readonly subject: ServerKind;
  readonly program: string;
  /** Places and queue of apps/overload together: as many connections use it fully and are never refused. */
  readonly places: number;
  readonly times: number;
  readonly seconds: number;
}

export interface OverloadReport {
  /** Fully used: a closed loop with as many connections as there are places. */
  readonly full: LoadReport;
  readonly overloaded: LoadReport;
  readonly offeredPerSecond: number;
  readonly memoryBefore: MemoryReading;
  readonly memoryPeakBytes: number;
  readonly faults: readonly string[];
  readonly verdicts: readonly Verdict[];
}

export const defaultOverloadOptions = { program: "php", places: 32, times: 10 };

const connectionsMax = 4_096;

export async function runStageOverload(ground: Ground, options: OverloadOptions, progress: Progress): Promise<OverloadReport> {
  const server = await options.subject.start(ground);
  await untilAnswered(options.subject.name, server, pathOf(options.program));
  const load = { port: server.port, path: pathOf(options.program), body: expectedBody, seconds: options.seconds, warmUpSeconds: 1 };
  progress(`full use: ${options.places} connections`);
  const full = await runLoad(ground, { ...load, connections: options.places });
  const memoryBefore = await readMemory(server, full.answered);
  const offeredPerSecond = Math.round((options.times * full.accepted.count) / full.seconds);
  progress(`${options.times} × overload: ${offeredPerSecond} requests/s`);
  const watch = watchMemory(server);
  const overloaded = await runLoad(ground, { ...load, connections: connectionsMax, rate: offeredPerSecond, refusal: 503 });
  const memoryPeakBytes = watch.stop();
  const faults = [
    ...faultsOf(full).map((fault) => `at full use: ${fault}`),
    ...faultsOf(overloaded).map((fault) => `overloaded: ${fault}`),
  ];
  const report = { full, overloaded, offeredPerSecond, memoryBefore, memoryPeakBytes, faults };
  return { ...report, verdicts: faults.length > 0 ? [] : judge(report) };
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

function judge({ full, overloaded, memoryBefore, memoryPeakBytes }: Omit<OverloadReport, "verdicts">): readonly Verdict[] {
  const latency = (name: "p50Us" | "p99Us"): string =>
    `${formatNumber(full.accepted[name] / 1_000)} → ${formatNumber(overloaded.accepted[name] / 1_000)} ms`;
  const memory = `${mebibytes(memoryBefore.rssBytes)} → ${mebibytes(memoryPeakBytes)} MiB`;
  return [
    atMost(
      "p50 of accepted, overloaded over fully used",
      budgets.overloadedLatency,
      overloaded.accepted.p50Us / full.accepted.p50Us,
      latency("p50Us"),
    ),
    atMost(
      "p99 of accepted, overloaded over fully used",
      budgets.overloadedLatency,
      overloaded.accepted.p99Us / full.accepted.p99Us,
      latency("p99Us"),
    ),
    atMost("p99 of refusals, ms", budgets.refusalP99Ms, overloaded.refused.p99Us / 1_000, `${overloaded.refused.count} refused`),
    atMost("resident memory, peak of overload over before", budgets.overloadedMemory, memoryPeakBytes / memoryBefore.rssBytes, memory),
  ];
}

export function overloadRows({ full, overloaded }: OverloadReport): readonly (readonly (string | number)[])[] {
  const row = (name: string, { count, p50Us, p99Us, maxUs }: LoadReport["accepted"], seconds: number): readonly (string | number)[] => [
    name,
    count / seconds,
    p50Us / 1_000,
    p99Us / 1_000,
    maxUs / 1_000,
  ];
  return [
    row("fully used: accepted", full.accepted, full.seconds),
    row("overloaded: accepted", overloaded.accepted, overloaded.seconds),
    row("overloaded: refused", overloaded.refused, overloaded.seconds),
  ];
}
