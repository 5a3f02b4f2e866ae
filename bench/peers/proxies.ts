/**
 * The peers of functions: proxies before the same functions on Bun.serve (function-server.ts), each with a function server of its
 * own. Their CPU is that of proxy and function server together, as urocket's is of gateway and instance.
 */
import { join } from "node:path";
import type { Server, ServerKind } from "../measure/server.ts";
import { freePort, type Ground, type StartedProcess } from "../process/ground.ts";
import { configure } from "./configuration.ts";

/** What serves it, whatever its number of workers: variants of one family are of one kind. */
export interface ProxyKind extends ServerKind {
  readonly family: string;
}

/** Which of a family suits two cores best is found by running both. */
const workerCounts = [1, 2];

export const proxies: readonly ProxyKind[] = [
  ...workerCounts.map((workers) => nginx(`nginx ×${workers}`, { workers })),
  ...workerCounts.map((workers) => haproxy(`haproxy ×${workers}`, { workers })),
  nginx("nginx to tcp", { workers: 1, overTcp: true, family: "nginx to tcp" }),
  nginx("nginx+log", { workers: 1, logs: true, family: "nginx+log" }),
  haproxy("haproxy+log", { workers: 1, logs: true, family: "haproxy+log" }),
  { name: "caddy", family: "caddy", kind: "peer", start: startCaddy },
  { name: "Bun.serve direct", family: "direct", kind: "limit", start: startDirect },
];

/** What must be installed for a family to run. */
export function commandOf(family: string): readonly string[] {
  return ["nginx", "haproxy", "caddy"].filter((command) => family.startsWith(command));
}

interface ProxyOptions {
  readonly workers: number;
  readonly overTcp?: boolean;
  readonly logs?: boolean;
  readonly family?: string;
}

function nginx(name: string, options: ProxyOptions): ProxyKind {
  return { name, family: options.family ?? "nginx", kind: "peer", start: (ground) => startNginx(ground, fileNameOf(name), options) };
}

function haproxy(name: string, options: ProxyOptions): ProxyKind {
  return { name, family: options.family ?? "haproxy", kind: "peer", start: (ground) => startHaproxy(ground, fileNameOf(name), options) };
}

function fileNameOf(name: string): string {
  return name.replaceAll(/[^a-z0-9]+/g, "-");
}

function startNginx(ground: Ground, name: string, { workers, overTcp = false, logs = false }: ProxyOptions): Server {
  const port = freePort();
  const origin = overTcp ? startFunctionServer(ground, name, freePort()) : startFunctionServer(ground, name);
  const file = configure(ground, "nginx-proxy.conf", name, {
    PORT: String(port),
    WORKERS: String(workers),
    FUNCTION: typeof origin.at === "number" ? `127.0.0.1:${origin.at}` : `unix:${origin.at}`,
    LOG: logs ? "access_log /dev/null exchange buffer=64k flush=1s;" : "access_log off;",
    REQUEST_ID: logs ? "proxy_set_header X-Request-Id $request_id; add_header X-Request-Id $request_id;" : "",
  });
  return { port, processes: [ground.start(name, ["nginx", "-p", ground.folder, "-e", "stderr", "-c", file]), origin.process] };
}

function startHaproxy(ground: Ground, name: string, { workers, logs = false }: ProxyOptions): Server {
  const port = freePort();
  const origin = startFunctionServer(ground, name);
  const file = configure(ground, "haproxy.cfg", name, {
    PORT: String(port),
    WORKERS: String(workers),
    FUNCTION: String(origin.at),
    "LOG-TO": logs ? "log stdout format raw local0" : "",
    LOG: logs ? "log global\n  option httplog\n  unique-id-format %[uuid()]\n  unique-id-header X-Request-Id" : "",
  });
  return { port, processes: [ground.start(name, ["haproxy", "-db", "-f", file]), origin.process] };
}

function startCaddy(ground: Ground): Server {
  const port = freePort();
  const origin = startFunctionServer(ground, "caddy");
  const file = configure(ground, "Caddyfile", "caddy", { PORT: String(port), FUNCTION: String(origin.at) });
  const argv = ["caddy", "run", "--adapter", "caddyfile", "--config", file];
  return {
    port,
    processes: [
      ground.start("caddy", argv, { env: { HOME: ground.folder, XDG_CONFIG_HOME: ground.folder, XDG_DATA_HOME: ground.folder } }),
      origin.process,
    ],
  };
}

function startDirect(ground: Ground): Server {
  const port = freePort();
  return { port, processes: [startFunctionServer(ground, "direct", port).process] };
}

/** @param port default: a unix socket. */
function startFunctionServer(
  ground: Ground,
  name: string,
  port?: number,
): { readonly process: StartedProcess; readonly at: string | number } {
  const socket = join(ground.folder, `${name}.sock`);
  const argv = [process.execPath, "--no-env-file", "--no-install", join(import.meta.dir, "function-server.ts")];
  const env: Readonly<Record<string, string>> = port === undefined ? { BENCH_SOCKET: socket } : { BENCH_PORT: String(port) };
  return { process: ground.start(`${name}-functions`, argv, { env }), at: port ?? socket };
}
