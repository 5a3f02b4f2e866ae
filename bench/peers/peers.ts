/** The peers: other ways to serve HTTP by a program per request, each configured as its experts would. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildFolder } from "../measure/build-folder.ts";
import type { Server, ServerKind } from "../measure/server.ts";
import { freePort, type Ground } from "../process/ground.ts";
import { programs, type Program } from "../system.ts";
import { configure } from "./configuration.ts";

/** One fcgiwrap process runs one program at a time; eight did best on two cores. */
const fcgiwrapProcesses = 8;

export const peers: readonly ServerKind[] = [
  { name: "nginx+fcgiwrap", kind: "peer", start: startNginx },
  { name: "lighttpd", kind: "peer", start: startLighttpd },
  { name: "webhook", kind: "peer", start: startWebhook },
  { name: "Bun.spawn", kind: "peer", start: (ground) => startBun(ground, "bun-spawn-server.ts", 1) },
  { name: "Bun.spawn ×2", kind: "peer", start: (ground) => startBun(ground, "bun-spawn-server.ts", 2) },
];

/** What must be installed for a peer to run. */
export const peerCommands: Readonly<Record<string, readonly string[]>> = {
  "nginx+fcgiwrap": ["nginx", "fcgiwrap"],
  lighttpd: ["lighttpd"],
  webhook: ["webhook"],
};

/**
 * Bun that answers by the reply socket in a few lines, without any of urocket's guarantees: what the protocol alone costs.
 *
 * @param places requests beyond these are refused with 503. Default: no bound.
 */
export function replySocketInBun(places = Number.POSITIVE_INFINITY): ServerKind {
  return {
    name: "Bun reply socket",
    kind: "peer",
    start: (ground) => startBun(ground, "bun-reply-server.ts", 1, { BENCH_PLACES: String(places) }),
  };
}

/** The executable that prints a program's answer. */
export function answerExecutable(program: Program): string {
  return join(buildFolder, program === "sh" || program === "php" ? `answer.${program}` : `answer-${program}`);
}

/** The folder in which each program has its URL's name. */
function makeCgiFolder(ground: Ground): void {
  const cgi = join(ground.folder, "cgi");
  mkdirSync(cgi, { recursive: true });
  for (const program of programs) linkOnce(answerExecutable(program), join(cgi, program));
}

function linkOnce(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch {
    // Another peer made it before.
  }
}

function startNginx(ground: Ground): Server {
  const port = freePort();
  makeCgiFolder(ground);
  const file = configure(ground, "nginx.conf", "nginx", { PORT: String(port) });
  const wrap = ground.start("fcgiwrap", [
    "fcgiwrap",
    "-c",
    String(fcgiwrapProcesses),
    "-s",
    `unix:${join(ground.folder, "fcgiwrap.sock")}`,
  ]);
  const nginx = ground.start("nginx", ["nginx", "-p", ground.folder, "-e", "stderr", "-c", file]);
  return { port, processes: [nginx, wrap] };
}

function startLighttpd(ground: Ground): Server {
  const port = freePort();
  makeCgiFolder(ground);
  const file = configure(ground, "lighttpd.conf", "lighttpd", { PORT: String(port) });
  return { port, processes: [ground.start("lighttpd", ["lighttpd", "-D", "-f", file])] };
}

function startWebhook(ground: Ground): Server {
  const port = freePort();
  const file = join(ground.folder, "webhook.json");
  const hooks = programs.map((program) => ({
    id: program,
    "execute-command": answerExecutable(program),
    "include-command-output-in-response": true,
    "http-methods": ["GET"],
    "response-headers": [{ name: "Content-Type", value: "text/plain" }],
  }));
  writeFileSync(file, JSON.stringify(hooks));
  // Without -verbose it logs nothing; -urlprefix "" gives it the same paths as everybody else.
  const argv = ["webhook", "-ip", "127.0.0.1", "-port", String(port), "-hooks", file, "-urlprefix", ""];
  return { port, processes: [ground.start("webhook", argv)] };
}

function startBun(ground: Ground, script: string, count: number, more: Readonly<Record<string, string>> = {}): Server {
  const port = freePort();
  const argv = [process.execPath, "--no-env-file", "--no-install", join(import.meta.dir, script)];
  const env = { BENCH_PORT: String(port), BENCH_PROGRAMS: buildFolder, BENCH_FOLDER: ground.folder, ...more };
  const start = (at: number) => ground.start(`${script}-${count}-${at}`, argv, { env });
  return { port, processes: Array.from({ length: count }, (_, at) => start(at)) };
}
