/**
 * urocket before three instances of apps/services' daemon, and the proxies before the very same three: where they are reached and
 * which processes they are is asked of them through urocket.
 */
import { join } from "node:path";
import { benchFolder } from "../measure/build-folder.ts";
import { untilAnswered, type Question, type Server } from "../measure/server.ts";
import type { Ground } from "../process/ground.ts";
import { argumentsOf, hostProcesses } from "../process/host-processes.ts";
import { fileNameOf } from "./proxies.ts";
import { startCaddy, startHaproxy, startNginx, type Origin, type ProxyOptions, type StartProxy } from "./proxy-servers.ts";
import { startUrocket } from "./urocket.ts";

export const serviceQuestion: Question = { path: "/hello", body: "hello\n" };
const daemonCount = 3;
const findTriesMax = 200;

/** Three daemons behind a urocket host. */
export interface Stand {
  readonly host: Server;
  readonly origins: readonly Origin[];
  /** Pids of the daemons, as this machine sees them. */
  readonly daemons: readonly number[];
}

export interface StandOptions {
  readonly sandbox: "process" | "container";
  /** Whether the host logs each request. */
  readonly logs: boolean;
}

/** @throws when the host or its daemons do not come up. */
export async function openStand(ground: Ground, name: string, { sandbox, logs }: StandOptions): Promise<Stand> {
  const flags = ["--sandbox", sandbox, ...(logs ? [] : ["--requests", "failed"])];
  const host = startUrocket(ground, name, join(benchFolder, "apps/services"), { flags });
  await untilAnswered(name, host, serviceQuestion);
  const origins = await findOrigins(host.port);
  const pid = host.processes[0]?.pid ?? 0;
  const daemons = hostProcesses(pid).flatMap((stat) => (isDaemon(stat.pid) ? [stat.pid] : []));
  if (origins.length !== daemonCount || daemons.length !== daemonCount)
    throw new Error(`Cannot use ${name}: ${origins.length} daemons answer and ${daemons.length} run instead of ${daemonCount}`);
  return { host, origins, daemons };
}

const isDaemon = (pid: number): boolean => argumentsOf(pid).some((word) => word.endsWith("daemon.ts"));

async function findOrigins(port: number): Promise<readonly Origin[]> {
  const found = new Set<Origin>();
  for (let tries = 0; found.size < daemonCount && tries < findTriesMax; tries++) {
    const response = await fetch(`http://127.0.0.1:${port}/where`);
    const origin = await response.text();
    if (response.ok) found.add(origin);
    else await Bun.sleep(20);
  }
  return [...found];
}

/** A proxy that can be put before any daemons. */
export interface ServiceProxy {
  readonly name: string;
  readonly logs: boolean;
  /** Which of the measure's comparisons have it, besides that of requests/s in processes. */
  readonly isMain: boolean;
  start(ground: Ground, stand: Stand, standName: string): Server;
}

export const serviceProxies: readonly ServiceProxy[] = [
  proxy("nginx", startNginx, true),
  proxy("haproxy", startHaproxy, true),
  proxy("haproxy ×2", startHaproxy, false, { workers: 2 }),
  proxy("caddy", startCaddy, false),
  proxy("nginx+log", startNginx, false, { logs: true }),
  proxy("haproxy+log", startHaproxy, false, { logs: true }),
];

/** One of the daemons, with nobody in between. */
export const directName = "a daemon directly";

function proxy(name: string, startProxy: StartProxy, isMain: boolean, options: ProxyOptions = {}): ServiceProxy {
  return {
    name,
    logs: options.logs === true,
    isMain,
    start: (ground, { origins }, standName) => startProxy(ground, `${standName}-${fileNameOf(name)}`, origins, options),
  };
}
