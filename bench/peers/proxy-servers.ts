/**
 * nginx, haproxy and caddy as proxies before servers that are told: their configuration is the same whatever is behind them.
 */
import type { Server } from "../measure/server.ts";
import { freePort, type Ground } from "../process/ground.ts";
import { configure } from "./configuration.ts";

/** What is behind a proxy: the path of a unix socket, or host:port. */
export type Origin = string;

export interface ProxyOptions {
  /** Processes of nginx, threads of haproxy. Default 1. */
  readonly workers?: number;
  /** A line in a log for each request, and an id of it that the client and the server are told. Default: neither. */
  readonly logs?: boolean;
}

/** @param name of its files. */
export type StartProxy = (ground: Ground, name: string, origins: readonly Origin[], options?: ProxyOptions) => Server;

const isSocket = (origin: Origin): boolean => origin.startsWith("/");

export const startNginx: StartProxy = (ground, name, origins, { workers = 1, logs = false } = {}) => {
  const port = freePort();
  const file = configure(ground, "nginx-proxy.conf", name, {
    PORT: String(port),
    WORKERS: String(workers),
    SERVERS: origins.map((origin) => `server ${isSocket(origin) ? "unix:" : ""}${origin};`).join("\n    "),
    LOG: logs ? "access_log /dev/null exchange buffer=64k flush=1s;" : "access_log off;",
    REQUEST_ID: logs ? "proxy_set_header X-Request-Id $request_id; add_header X-Request-Id $request_id;" : "",
  });
  return { port, processes: [ground.start(name, ["nginx", "-p", ground.folder, "-e", "stderr", "-c", file])] };
};

export const startHaproxy: StartProxy = (ground, name, origins, { workers = 1, logs = false } = {}) => {
  const port = freePort();
  const server = (origin: Origin, at: number): string =>
    `server origin${at} ${isSocket(origin) ? "unix@" : ""}${origin} pool-purge-delay 300s`;
  const file = configure(ground, "haproxy.cfg", name, {
    PORT: String(port),
    WORKERS: String(workers),
    SERVERS: origins.map(server).join("\n  "),
    "LOG-TO": logs ? "log stdout format raw local0" : "",
    LOG: logs ? "log global\n  option httplog\n  unique-id-format %[uuid()]\n  unique-id-header X-Request-Id" : "",
  });
  return { port, processes: [ground.start(name, ["haproxy", "-db", "-f", file])] };
};

export const startCaddy: StartProxy = (ground, name, origins) => {
  const port = freePort();
  const servers = origins.map((origin) => (isSocket(origin) ? `unix/${origin}` : origin)).join(" ");
  const file = configure(ground, "Caddyfile", name, { PORT: String(port), SERVERS: servers });
  const argv = ["caddy", "run", "--adapter", "caddyfile", "--config", file];
  const env = { HOME: ground.folder, XDG_CONFIG_HOME: ground.folder, XDG_DATA_HOME: ground.folder };
  return { port, processes: [ground.start(name, argv, { env })] };
};
