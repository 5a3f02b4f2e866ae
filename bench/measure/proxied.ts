/**
 * A proxy before daemons that it shares with others, as a system: its own CPU is that of its processes, and what the daemons take
 * meanwhile is told apart, as programs' time is.
 */
import type { Ground } from "../process/ground.ts";
import { processTree, readProcesses, usedBetween, type ProcessStat } from "../process/proc-stat.ts";
import type { System } from "../system.ts";
import { runLoad, type LoadRequest } from "./load-client.ts";
import { toSample, untilAnswered, type Question, type Server, type ServerSystem } from "./server.ts";

export interface Proxied {
  readonly name: string;
  readonly kind: System["kind"];
  /** Called on first use. */
  readonly start: () => Server;
  /** Pids of what is behind it. */
  readonly daemons: readonly number[];
  /** Its own processes, perhaps with the daemons. Default: those that were started, with their descendants. */
  readonly processes?: (server: Server) => readonly ProcessStat[];
}

/** The kernel counts in ticks, and a server is done with the last answer before the client has it. */
const settleMs = 30;

export function proxiedSystem(
  ground: Ground,
  { name, kind, start, daemons, processes = treeOf }: Proxied,
  question: Question,
): ServerSystem {
  let started: Server | undefined;
  const serverNow = (): Server => (started ??= start());
  const look = (): Readonly<Record<"own" | "daemons", readonly ProcessStat[]>> => ({
    own: processes(serverNow()).filter(({ pid }) => !daemons.includes(pid)),
    daemons: readProcesses(daemons),
  });
  return {
    name,
    kind,
    server: () => Promise.resolve(serverNow()),
    async measure({ connections, seconds, warmUpSeconds }) {
      const server = serverNow();
      await untilAnswered(name, server, question);
      await Bun.sleep(settleMs);
      const before = look();
      const report = await runLoad(ground, { connections, seconds, warmUpSeconds, ...question, ...placeOf(server) });
      await Bun.sleep(settleMs);
      const after = look();
      const own = usedBetween(before.own, after.own);
      const behind = usedBetween(before.daemons, after.daemons);
      return toSample(report, { ownUs: own.ownUs + own.programsUs, programsUs: behind.ownUs });
    },
  };
}

function placeOf({ address, port }: Server): Pick<LoadRequest, "address" | "port"> {
  return { port, ...(address === undefined ? {} : { address }) };
}

function treeOf({ processes }: Server): readonly ProcessStat[] {
  return processTree(processes.map(({ pid }) => pid));
}
