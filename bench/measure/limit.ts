/** The physical limit as a system: a C loop of spawn, answer and wait (limit/limit.c). */
import { join } from "node:path";
import type { Ground } from "../process/ground.ts";
import type { Load, Sample, System } from "../system.ts";
import { buildFolder } from "./build-folder.ts";
import { expectedBody } from "./server.ts";

interface LimitReport {
  readonly seconds: number;
  readonly count: number;
  readonly wrong: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly ownCpuUs: number;
  readonly programsCpuUs: number;
}

/** By which way the loop takes its answers: as CGI-like servers do, or as urocket's programs give them. */
export type Reply = "pipe" | "socket";

/** A loop on each of two cores; a single one where a single connection is the load. */
export function limitSystem(ground: Ground, reply: Reply): System {
  return {
    name: `limit (${reply})`,
    kind: "limit",
    async measure(load) {
      const flags = ["--reply", reply, "--processes", String(Math.min(2, load.connections))];
      const times = ["--seconds", String(load.seconds), "--warm-up", String(load.warmUpSeconds)];
      return toSample((await ground.measure([join(buildFolder, "limit"), ...flags, ...times, executable(load, reply)])) as LimitReport);
    },
  };
}

function executable({ program }: Load, reply: Reply): string {
  const name = reply === "pipe" ? "answer" : "reply";
  return join(buildFolder, program === "sh" || program === "php" ? `${name}.${program}` : `${name}-${program}`);
}

function toSample(report: LimitReport): Sample {
  const count = Math.max(1, report.count);
  return {
    requests: report.count,
    seconds: report.seconds,
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    ownCpuUs: report.ownCpuUs / count,
    programsCpuUs: report.programsCpuUs / count,
    faults: report.wrong > 0 ? [`${report.wrong} answers were not ${JSON.stringify(expectedBody)}`] : [],
  };
}
