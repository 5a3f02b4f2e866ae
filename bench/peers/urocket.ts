/** urocket as its users run it: `urocket serve DIR > log`, contract checked, receipts on, every exchange logged. */
import { join } from "node:path";
import { benchFolder } from "../measure/build-folder.ts";
import type { Server, ServerKind } from "../measure/server.ts";
import { freePort, type Ground } from "../process/ground.ts";

/** @param app a folder of bench/apps. */
export function urocket(app: "stage" | "overload"): ServerKind {
  return { name: "urocket", kind: "subject", start: (ground) => startUrocket(ground, app) };
}

function startUrocket(ground: Ground, app: string): Server {
  const port = freePort();
  const argv = ["sh", join(benchFolder, "../bin/urocket"), "serve", join(benchFolder, "apps", app), "--port", String(port)];
  const started = ground.start(`urocket-${app}`, argv, {
    stdout: join(ground.folder, `urocket-${app}.log`),
    env: { XDG_RUNTIME_DIR: ground.folder, UROCKET_DATA: join(ground.folder, "data") },
  });
  return { port, processes: [started] };
}
