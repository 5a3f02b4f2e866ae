/**
 * The peers of functions: proxies before the same functions on Bun.serve (function-server.ts), each with a function server of its
 * own. Their CPU is that of proxy and function server together, as urocket's is of gateway and instance.
 */
import { join } from "node:path";
import type { Server, ServerKind } from "../measure/server.ts";
import { freePort, type Ground, type StartedProcess } from "../process/ground.ts";
import { startCaddy, startHaproxy, startNginx, type Origin, type ProxyOptions, type StartProxy } from "./proxy-servers.ts";

/** What serves it, whatever its number of workers: variants of one family are of one kind. */
export interface ProxyKind extends ServerKind {
  readonly family: string;
}

/** Which of a family suits two cores best is found by running both. */
const workerCounts = [1, 2];

export const proxies: readonly ProxyKind[] = [
  ...workerCounts.map((workers) => proxy(`nginx ×${workers}`, "nginx", startNginx, { workers })),
  ...workerCounts.map((workers) => proxy(`haproxy ×${workers}`, "haproxy", startHaproxy, { workers })),
  proxy("nginx to tcp", "nginx to tcp", startNginx, { overTcp: true }),
  proxy("nginx+log", "nginx+log", startNginx, { logs: true }),
  proxy("haproxy+log", "haproxy+log", startHaproxy, { logs: true }),
  proxy("caddy", "caddy", startCaddy),
  { name: "Bun.serve direct", family: "direct", kind: "limit", start: startDirect },
];

/** What must be installed for a proxy, or a family of them, to run. */
export function commandOf(family: string): readonly string[] {
  return ["nginx", "haproxy", "caddy"].filter((command) => family.startsWith(command));
}

function proxy(
  name: string,
  family: string,
  startProxy: StartProxy,
  options: ProxyOptions & { readonly overTcp?: boolean } = {},
): ProxyKind {
  const start = (ground: Ground): Server => {
    const file = fileNameOf(name);
    const functions = startFunctionServer(ground, file, options.overTcp === true ? freePort() : undefined);
    const { port, processes } = startProxy(ground, file, [functions.at], options);
    return { port, processes: [...processes, functions.process] };
  };
  return { name, family, kind: "peer", start };
}

export function fileNameOf(name: string): string {
  return name.replaceAll(/[^a-z0-9]+/g, "-");
}

function startDirect(ground: Ground): Server {
  const port = freePort();
  return { port, processes: [startFunctionServer(ground, "direct", port).process] };
}

/** @param port default: a unix socket. */
function startFunctionServer(ground: Ground, name: string, port?: number): { readonly process: StartedProcess; readonly at: Origin } {
  const socket = join(ground.folder, `${name}.sock`);
  const argv = [process.execPath, "--no-env-file", "--no-install", join(import.meta.dir, "function-server.ts")];
  const env: Readonly<Record<string, string>> = port === undefined ? { BENCH_SOCKET: socket } : { BENCH_PORT: String(port) };
  return { process: ground.start(`${name}-functions`, argv, { env }), at: port === undefined ? socket : `127.0.0.1:${port}` };
}
