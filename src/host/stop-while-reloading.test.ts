import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findController } from "../sandbox/control-groups.ts";
import type { RunningHost } from "./host.ts";
import { startHost } from "./start.ts";
import { ownerMark } from "../sandbox/group-names.ts";

/** This process's children: the runners. */
function runners(): string[] {
  const { pid } = process;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
}

/** Control groups that this process made, where it can make any. */
function groups(): string[] {
  const found = findController("memory");
  return found.ok ? readdirSync(found.place.folder).filter((name) => name.startsWith(`urocket-${process.pid}-`)) : [];
}

describe("a host that is stopped while it reloads", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "stop-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(env: string): void {
    writeFileSync(join(folder, "urocket-service.yaml"), `name: app\nenv: [${env}]\npaths: { /x: { get: { inject: { cmd: "true" } } } }\n`);
  }

  async function start(): Promise<RunningHost> {
    write("N=1");
    const log = { exchange: () => {}, output: () => {}, connection: () => {}, host: () => {} };
    const outcome = await startHost({
      folders: [folder],
      address: "127.0.0.1",
      port: 0,
      timing: false,
      watch: false,
      graceMs: 1000,
      mode: "serve",
      spares: 0,
      docs: false,
      network: { bridge: "urocket0", subnet: "10.201.0.0/16", subnet6: "fd52:4f43:4b45:5400::/64" },
      trustedProxies: [],
      dataFolder: join(folder, "data"),
      log,
    });
    if (!outcome.ok) throw new Error("it did not start");
    write("N=2");
    return outcome.host;
  }

  test("at once leaves nothing", async () => {
    const host = await start();
    const reloaded = host.reload();
    await host.stop();
    expect([runners(), groups()]).toEqual([[], []]);
    expect((await reloaded).apps.map(({ outcome }) => outcome)).toEqual(["kept-old"]);
  });

  test("while the new version's instance starts leaves nothing", async () => {
    const host = await start();
    const reloaded = host.reload();
    while (runners().length < 2) await new Promise(setImmediate);
    await host.stop();
    expect([runners(), groups(), existsSync(join("/run/urocket", ownerMark()))]).toEqual([[], [], false]);
    expect((await reloaded).apps.map(({ outcome }) => outcome)).toEqual(["kept-old"]);
  });
});
