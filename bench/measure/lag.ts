/**
 * How long the gateway keeps a light request waiting while programs are started at full rate: a path that nobody serves
 * is asked for every 10 ms, in an open loop, during the load. The same probe of an idle server beside it tells what the
 * busy machine itself adds.
 */
import { join } from "node:path";
import { freePort, type Ground } from "../process/ground.ts";
import { median } from "../statistics.ts";
import type { Load } from "../system.ts";
import { faultsOf, runLoad, type Latencies, type LoadReport } from "./load-client.ts";
import { programQuestion, untilAnswered, type Server } from "./server.ts";

const probePath = "/nobody-serves-this";
const probesPerSecond = 100;
/** Probes that may be open at once; beyond that a probe is a fault. */
const probeConnections = 256;

export interface LagReport {
  readonly connections: number;
  /** Medians of the rounds. */
  readonly gateway: Latencies;
  readonly control: Latencies;
  readonly rounds: readonly { readonly gateway: LoadReport; readonly control: LoadReport; readonly load: LoadReport }[];
  readonly faults: readonly string[];
}

export async function measureLag(ground: Ground, name: string, server: Server, load: Load, rounds: number): Promise<LagReport> {
  await untilAnswered(name, server, programQuestion(load.program));
  const control = startControl(ground);
  await untilAnswered("the idle server", control, { path: probePath, body: "not found\n" }, 404);
  const all: LagReport["rounds"][number][] = [];
  for (let round = 0; round < rounds; round++) all.push(await measureRound(ground, server, control.port, load));
  await ground.end(control.processes);
  return {
    connections: load.connections,
    gateway: mediansOf(all.map((round) => round.gateway.accepted)),
    control: mediansOf(all.map((round) => round.control.accepted)),
    rounds: all,
    faults: all.flatMap((round) => [...faultsOf(round.gateway), ...faultsOf(round.control), ...faultsOf(round.load)]),
  };
}

async function measureRound(ground: Ground, server: Server, controlPort: number, load: Load): Promise<LagReport["rounds"][number]> {
  const { program, ...times } = load;
  const [report, gateway, control] = await Promise.all([
    runLoad(ground, { ...times, ...programQuestion(program), port: server.port }),
    probe(ground, server.port, load),
    probe(ground, controlPort, load),
  ]);
  return { load: report, gateway, control };
}

function probe(ground: Ground, port: number, { seconds, warmUpSeconds }: Load): Promise<LoadReport> {
  // It ends before the load does, so that every probe falls into it.
  const within = Math.max(0.2, seconds - 0.2);
  return runLoad(ground, {
    port,
    path: probePath,
    seconds: within,
    warmUpSeconds,
    connections: probeConnections,
    rate: probesPerSecond,
    status: 404,
  });
}

function startControl(ground: Ground): Server {
  const port = freePort();
  const argv = [process.execPath, "--no-env-file", "--no-install", join(import.meta.dir, "../peers/idle-server.ts")];
  return { port, processes: [ground.start("idle-server", argv, { env: { BENCH_PORT: String(port) } })] };
}

function mediansOf(rounds: readonly Latencies[]): Latencies {
  const of = (figure: (latencies: Latencies) => number): number => median(rounds.map(figure));
  return { count: of((l) => l.count), p50Us: of((l) => l.p50Us), p99Us: of((l) => l.p99Us), maxUs: of((l) => l.maxUs) };
}
