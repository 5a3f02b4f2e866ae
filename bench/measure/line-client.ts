/** Runs the C client of line services (load/lines.c) and reads its report. */
import { join } from "node:path";
import type { Ground } from "../process/ground.ts";
import { buildFolder } from "./build-folder.ts";
import type { LoadReport } from "./load-client.ts";

export interface LineLoad {
  readonly port: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Lines that are sent at once, before their answers are awaited. */
  readonly depth: number;
  /** A connection for each batch. */
  readonly connectEach: boolean;
}

/** Of a closed loop, nothing is refused, late, or left unsent. `accepted.count` is lines, its latencies are of whole batches. */
export async function runLines(ground: Ground, load: LineLoad): Promise<LoadReport> {
  const values = {
    port: load.port,
    seconds: load.seconds,
    "warm-up": load.warmUpSeconds,
    connections: load.connections,
    depth: load.depth,
    "per-connection": load.connectEach ? 1 : 0,
  };
  const flags = Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const none = { count: 0, p50Us: 0, p99Us: 0, maxUs: 0 };
  const report = (await ground.measure([join(buildFolder, "lines"), ...flags])) as LoadReport;
  return { ...report, refused: none, late: none, notSent: 0 };
}
