/** Who answers Fibonacci numbers over TCP lines: urocket's example app, and what a program of one's own could do. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { benchFolder, buildFolder } from "../measure/build-folder.ts";
import type { Server, ServerKind } from "../measure/server.ts";
import { freePort, type Ground } from "../process/ground.ts";
import { startUrocket } from "./urocket.ts";

export const cServer = "C epoll";

/** They answer in the process that accepts, and confine nothing: limits, not peers. */
export const lineServers: readonly ServerKind[] = [
  { name: cServer, kind: "limit", start: startC },
  { name: "Bun.listen", kind: "limit", start: startBun },
];

/** examples/fibber, with another port in its service file. */
export const fibber: ServerKind = { name: "urocket", kind: "subject", start: startFibber };

function startFibber(ground: Ground): Server {
  const port = freePort();
  const folder = join(ground.folder, "fibber");
  cpSync(join(benchFolder, "../examples/fibber"), folder, { recursive: true });
  const file = join(folder, "urocket-service.yaml");
  writeFileSync(file, withPort(readFileSync(file, "utf8"), port));
  return { port, processes: startUrocket(ground, "urocket-fibber", folder).processes };
}

/** A service file whose one TCP listener has another port. @throws when there is not just one. */
export function withPort(text: string, port: number): string {
  const listener = /\btcp: *[^\s,}]+/g;
  if ((text.match(listener) ?? []).length !== 1)
    throw new Error("Cannot give the fibber another port: its service file has not one 'tcp:'");
  return text.replace(listener, `tcp: ${port}`);
}

function startC(ground: Ground): Server {
  const port = freePort();
  return { port, processes: [ground.start("fib-server-c", [join(buildFolder, "fib-server"), String(port)])] };
}

function startBun(ground: Ground): Server {
  const port = freePort();
  const argv = [process.execPath, "--no-env-file", "--no-install", join(import.meta.dir, "fib-server.ts")];
  return { port, processes: [ground.start("fib-server-bun", argv, { env: { BENCH_PORT: String(port) } })] };
}
