/** Runs the C load client (load/load.c) and reads its report. */
import { join } from "node:path";
import type { Ground } from "../process/ground.ts";
import { buildFolder } from "./build-folder.ts";

export interface Latencies {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface LoadReport {
  readonly seconds: number;
  readonly accepted: Latencies;
  /** Answers of the status that the load names as a refusal. */
  readonly refused: Latencies;
  /** Open loop: how much later than intended requests were sent. */
  readonly late: Latencies;
  /** Answers of any kind, those of the warm-up and after the end too. */
  readonly answered: number;
  readonly wrong: number;
  readonly firstWrong: string;
  readonly closedUnanswered: number;
  readonly connectFailures: number;
  /** Open loop: due, but no connection was left. */
  readonly notSent: number;
  /** Still without an answer 10 s after the end. */
  readonly unanswered: number;
  readonly samplesDropped: number;
  readonly connectionsOpened: number;
  readonly clientCpuUs: number;
}

export interface LoadRequest {
  /** Default 127.0.0.1. */
  readonly address?: string;
  readonly port: number;
  readonly path: string;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Ends after so many, or when the time is over. */
  readonly requests?: number;
  /** Requests a second, sent whether or not earlier ones were answered. Default: each connection asks when it was answered. */
  readonly rate?: number;
  /** Default 200. */
  readonly status?: number;
  /** Default: any body. */
  readonly body?: string;
  /** A body of JSON to POST. Default: a GET. */
  readonly send?: string;
  /** A status that is counted on its own instead of as wrong. */
  readonly refusal?: number;
}

export async function runLoad(ground: Ground, request: LoadRequest): Promise<LoadReport> {
  const { warmUpSeconds, ...rest } = request;
  const flags = Object.entries({ ...rest, "warm-up": warmUpSeconds }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return (await ground.measure([join(buildFolder, "load"), ...flags])) as LoadReport;
}

/** What makes a report worthless for comparison. */
export function faultsOf(report: LoadReport): readonly string[] {
  const counted: readonly (readonly [number, string])[] = [
    [report.wrong, `wrong answers, the first: ${report.firstWrong}`],
    [report.closedUnanswered, "connections closed instead of answered"],
    [report.connectFailures, "connections refused"],
    [report.notSent, "requests not sent for want of connections"],
    [report.unanswered, "requests without an answer 10 s after the end"],
    [report.samplesDropped, "latencies beyond the client's memory"],
  ];
  const faults = counted.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return report.accepted.count === 0 ? [...faults, "no right answer at all"] : faults;
}
