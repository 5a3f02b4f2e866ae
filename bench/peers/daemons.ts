/**
 * urocket before three instances of apps/services' daemon, and the proxies before the very same three: where they are reached and
 * which processes they are is asked of them through urocket. Or before three more that the bench starts, as anybody would without urocket.
 */
import { join } from "node:path";
import { benchFolder } from "../measure/build-folder.ts";
import { untilAnswered, type Question, type Server } from "../measure/server.ts";
import { freePort, type Ground, type StartedProcess } from "../process/ground.ts";
import { argumentsOf, hostProcesses } from "../process/host-processes.ts";
import { fileNameOf } from "./proxies.ts";
import { startCaddy, startHaproxy, startNginx, type Origin, type ProxyOptions, type StartProxy } from "./proxy-servers.ts";
import { startUrocket } from "./urocket.ts";

export const serviceQuestion: Question = { path: "/hello", body: "hello\n" };
const daemonCount = 3;
const findTriesMax = 200;

/** Three daemons. */
interface Daemons {
  readonly origins: readonly Origin[];
  /** Pids, as this machine sees them. */
  readonly pids: readonly number[];
}

/** A urocket host with its daemons, and those that the proxies are put before. */
export interface Stand {
  readonly host: Server;
  readonly daemons: Daemons;
  readonly proxied: Daemons;
  /** Processes of daemons that are not the host's. */
  readonly processes: readonly StartedProcess[];
}

export interface StandOptions {
  readonly sandbox: "process" | "container";
  /** Whether the host logs each request. */
  readonly logs: boolean;
  /** Whether the proxies get daemons of their own. Default: they are put before the host's. */
  readonly apart?: boolean;
}

/** @throws when the host or its daemons do not come up. */
export async function openStand(ground: Ground, name: string, { sandbox, logs, apart = false }: StandOptions): Promise<Stand> {
  const flags = ["--sandbox", sandbox, ...(logs ? [] : ["--requests", "failed"])];
  const host = startUrocket(ground, name, join(benchFolder, "apps/services"), { flags });
  await untilAnswered(name, host, serviceQuestion);
  const origins = await findOrigins(host.port);
  const pid = host.processes[0]?.pid ?? 0;
  const pids = hostProcesses(pid).flatMap((stat) => (isDaemon(stat.pid) ? [stat.pid] : []));
  if (origins.length !== daemonCount || pids.length !== daemonCount)
    throw new Error(`Cannot use ${name}: ${origins.length} daemons answer and ${pids.length} run instead of ${daemonCount}`);
  const daemons = { origins, pids };
  if (!apart) return { host, daemons, proxied: daemons, processes: [] };
  const own = await startDaemons(ground, name);
  return { host, daemons, proxied: own, processes: own.processes };
}

/** As a service manager starts them: each in a session of its own, with nothing set of how they are scheduled. */
async function startDaemons(ground: Ground, name: string): Promise<Daemons & Pick<Stand, "processes">> {
  const servers = Array.from({ length: daemonCount }, (_, at) => {
    const port = freePort();
    const env = { HOST: "127.0.0.1", PORT: String(port) };
    return {
      port,
      processes: [ground.start(`${name}-daemon${at}`, [process.execPath, join(benchFolder, "apps/services/daemon.ts")], { env })],
    };
  });
  for (const server of servers) await untilAnswered(name, server, serviceQuestion);
  const processes = servers.flatMap((server) => server.processes);
  return { origins: servers.map(({ port }) => `127.0.0.1:${port}`), pids: processes.map(({ pid }) => pid), processes };
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
    start: (ground, { proxied }, standName) => startProxy(ground, `${standName}-${fileNameOf(name)}`, proxied.origins, options),
  };
}
