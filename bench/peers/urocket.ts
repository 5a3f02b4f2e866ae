/** urocket as its users run it: `urocket serve DIR > log`, contract checked, receipts on, every exchange logged. */
import { join } from "node:path";
import { benchFolder } from "../measure/build-folder.ts";
import type { Server, ServerKind } from "../measure/server.ts";
import { freePort, type Ground, type StartedProcess } from "../process/ground.ts";

/** @param app a folder of bench/apps. */
export function urocket(app: string): ServerKind {
  return {
    name: "urocket",
    kind: "subject",
    start: (ground) =>
      startUrocket(ground, `urocket-${app}`, join(benchFolder, "apps", app), { log: join(ground.folder, `urocket-${app}.log`) }),
  };
}

/** As proxies are measured: without a line for each request that went well. Receipts are made all the same. */
export const functionsApp: ServerKind = {
  name: "urocket",
  kind: "subject",
  start: (ground) => startUrocket(ground, "urocket-functions", join(benchFolder, "apps/functions"), { flags: ["--requests", "failed"] }),
};

/** With a line for each request, against proxies with one. */
export const loggedFunctionsApp: ServerKind = {
  name: "urocket+log",
  kind: "subject",
  start: (ground) => startUrocket(ground, "urocket-functions-log", join(benchFolder, "apps/functions")),
};

export interface UrocketOptions {
  /** Where its log goes, as JSON. Default: /dev/null, where a hundred thousand lines a second do not keep the disk busy. */
  readonly log?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
}

/** @param folders an app, or several. */
export function startUrocket(
  ground: Ground,
  name: string,
  folders: string | readonly string[],
  { log, env, flags = [] }: UrocketOptions = {},
): Server {
  const port = freePort();
  return { port, processes: [serve(ground, name, ["serve", ...[folders].flat(), "--port", String(port), ...flags], log, env)] };
}

function serve(
  ground: Ground,
  name: string,
  words: readonly string[],
  log: string | undefined,
  env: Readonly<Record<string, string>> = {},
): StartedProcess {
  return ground.start(name, ["sh", join(benchFolder, "../bin/urocket"), ...words], {
    ...(log === undefined ? {} : { stdout: log }),
    env: { XDG_RUNTIME_DIR: ground.folder, UROCKET_DATA: join(ground.folder, "data"), ...env },
  });
}
