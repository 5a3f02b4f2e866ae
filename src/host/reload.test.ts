/** What a reload takes along and leaves behind, on real hosts in this process. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runtimeFolders } from "../config/surroundings.ts";
import type { HostSettings, RunningHost } from "./host.ts";
import { findHosts } from "./run-folder.ts";
import { startHost } from "./start.ts";
import { ownerMark } from "../sandbox/group-names.ts";

const source = (version: string): string => `
export const line = () => "${version}";
export const read = (_: unknown, ctx: { secret(name: string): string }) => ctx.secret("KEY");
export const id = () => process.pid;
`;

/** At the configured path, whatever the program is told. */
const replyThere = `#!/bin/sh
exec curl -s --unix-socket ./reply.sock --data-binary done "http://localhost$UROCKET_REPLY"
`;

describe("a reload", () => {
  let folder = "";
  let host: RunningHost | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "reload-"));
  });
  afterEach(async () => {
    await host?.stop();
    host = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  function write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  }

  async function start(apps: readonly string[] = ["."], more: Partial<HostSettings> = {}): Promise<RunningHost> {
    const outcome = await startHost({
      folders: apps.map((app) => join(folder, app)),
      address: "127.0.0.1",
      port: 0,
      timing: false,
      watch: false,
      graceMs: 1000,
      mode: "dev",
      spares: 0,
      docs: false,
      network: { bridge: "urocket0", subnet: "10.201.0.0/16", subnet6: "fd52:4f43:4b45:5400::/64" },
      trustedProxies: [],
      dataFolder: join(folder, "data"),
      log: { exchange: () => {}, output: () => {}, connection: () => {}, host: () => {} },
      ...more,
    });
    if (!outcome.ok) throw new Error(`it did not start: ${JSON.stringify(outcome.failure)}`);
    host = outcome.host;
    return host;
  }

  const runFolder = (): string => {
    for (const base of runtimeFolders()) if (existsSync(join(base, ownerMark()))) return join(base, ownerMark());
    throw new Error("the host has no run folder");
  };

  const outcomes = async (one: RunningHost) => (await one.reload()).apps.map(({ outcome, problems }) => [outcome, problems[0]?.message]);

  async function firstLine(url: string | undefined): Promise<string> {
    const { hostname, port } = new URL((url ?? "").replace("tcp:", "http:"));
    const answer = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: { data: (_, bytes) => answer.resolve(bytes.toString()), close: () => answer.reject(new Error("closed")) },
    });
    socket.write("?\n");
    const text = await answer.promise;
    socket.terminate();
    return text;
  }

  const program = `paths: { /x: { get: { inject: { cmd: "true" } } } }`;

  test("does not give an app the name of another", async () => {
    write({ "a/urocket-service.yaml": `name: a\nbase: /a\n${program}`, "b/urocket-service.yaml": `name: b\nbase: /b\n${program}` });
    const one = await start(["a", "b"]);
    write({ "b/urocket-service.yaml": `name: a\nbase: /b\n${program}` });
    expect(await outcomes(one)).toEqual([
      ["unchanged", undefined],
      ["kept-old", `App "a" is served already, from ${join(folder, "a")}`],
    ]);
  });

  test("that renames an app keeps its listeners, and the host says so", async () => {
    const service = (name: string): string => `name: ${name}\nlisteners: [{ tcp: ${port}, function: f.ts#line }]\n`;
    const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = free;
    free.stop(true);
    write({ "urocket-service.yaml": service("before"), "f.ts": source("one") });
    const one = await start();
    const url = `tcp://127.0.0.1:${port}`;
    expect(await firstLine(url)).toBe("one\n");
    write({ "urocket-service.yaml": service("after"), "f.ts": source("two") });
    expect(await outcomes(one)).toEqual([["reloaded", undefined]]);
    expect(await firstLine(url)).toBe("two\n");
    expect(one.apps[0]?.listeners).toEqual([{ name: `tcp:${port}`, url }]);
    const described = findHosts(runtimeFolders()).find(({ pid }) => pid === process.pid);
    expect(described?.apps).toEqual([{ name: "after", folder, listeners: [{ name: `tcp:${port}`, url }] }]);
  });

  test("takes changed secrets, and leaves none of before", async () => {
    const service = "name: app\nsecrets: [KEY]\npaths: { /read: { get: { function: f.ts#read } } }\n";
    write({ "urocket-service.yaml": service, "f.ts": source("one"), "secrets/KEY": "first" });
    const one = await start(["."], { secretsFolder: join(folder, "secrets") });
    expect(await (await fetch(`${one.url}/read`)).text()).toContain("first");
    expect(await outcomes(one)).toEqual([["unchanged", undefined]]);
    write({ "secrets/KEY": "second" });
    expect(await outcomes(one)).toEqual([["reloaded", undefined]]);
    expect(await (await fetch(`${one.url}/read`)).text()).toContain("second");
    await until(() => copiesOf("KEY").length === 1);
    expect(copiesOf("KEY")).toEqual(["second"]);
  });

  test("that fails leaves nothing of its own", async () => {
    const service = "name: app\nsecrets: [KEY]\npaths: { /read: { get: { function: f.ts#read } } }\n";
    write({ "urocket-service.yaml": service, "f.ts": source("one"), "secrets/KEY": "first" });
    const one = await start(["."], { secretsFolder: join(folder, "secrets") });
    const before = contents();
    write({ "f.ts": `${source("two")}\nthrow new Error("no");\n` });
    expect((await one.reload()).apps.map(({ outcome }) => outcome)).toEqual(["kept-old"]);
    await until(() => contents().length <= before.length);
    expect(contents()).toEqual(before);
  });

  test("that fails again and again does not cost what is served", async () => {
    const service = "name: app\nscale: { max: 1 }\npaths: { /id: { get: { function: f.ts#id } } }\n";
    write({ "urocket-service.yaml": service, "f.ts": source("one") });
    const one = await start();
    const pid = async (): Promise<number> => Number(await (await fetch(`${one.url}/id`)).text());
    const first = await pid();
    for (let attempt = 0; attempt < 7; attempt++) {
      write({ "f.ts": `${source(`n${attempt}`)}\nthrow new Error("no");\n` });
      expect((await one.reload()).apps.map(({ outcome }) => outcome)).toEqual(["kept-old"]);
    }
    process.kill(first, "SIGKILL");
    await until(() => !existsSync(`/proc/${first}`));
    const second = await pid();
    expect(second).toBeGreaterThan(0);
    expect(second).not.toBe(first);
  }, 30_000);

  test("keeps the build that is served, and no others", async () => {
    const service = "name: app\npaths: { /id: { get: { function: f.ts#id } } }\n";
    write({ "urocket-service.yaml": service, "f.ts": source("one") });
    const one = await start();
    for (const version of ["two", "three", "two"]) {
      write({ "f.ts": source(version) });
      expect(await outcomes(one)).toEqual([["reloaded", undefined]]);
    }
    await until(() => builds().length === 1);
    expect((await fetch(`${one.url}/id`)).status).toBe(200);
  }, 30_000);

  const daemon = (answer: string): string => `
Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response(${JSON.stringify(answer)}) });
`;
  const serviceOf = (cmd: string): string => `name: app\nservice: { cmd: ${cmd}, start: 1h }\n`;

  test("whose daemon does not come up is overtaken by the next version, and that is no error", async () => {
    write({ "urocket-service.yaml": serviceOf("bun server.ts"), "server.ts": daemon("one") });
    const one = await start();
    write({ "server.ts": `require("fs").writeFileSync("began", ""); setInterval(() => {}, 1000);` });
    const stuck = outcomes(one);
    await until(() => existsSync(join(folder, "began")));
    write({ "server.ts": daemon("two") });
    expect(await outcomes(one)).toEqual([["reloaded", undefined]]);
    expect(await stuck).toEqual([["kept-old", undefined]]);
    expect(await (await fetch(one.url)).text()).toBe("two");
  }, 30_000);

  test("of what has not changed meanwhile leaves the daemon that starts alone", async () => {
    write({ "urocket-service.yaml": serviceOf("bun server.ts"), "server.ts": daemon("one") });
    const one = await start();
    const slow = `const fs = require("fs"); fs.appendFileSync("began", "x"); while (!fs.existsSync("go")) await Bun.sleep(10);`;
    write({ "server.ts": slow + daemon("two") });
    const reloaded = outcomes(one);
    await until(() => existsSync(join(folder, "began")));
    const again = outcomes(one);
    write({ "server.ts": slow + daemon("two"), go: "" });
    expect(await reloaded).toEqual([["reloaded", undefined]]);
    expect(await again).toEqual([["unchanged", undefined]]);
    expect(readFileSync(join(folder, "began"), "utf8")).toBe("x");
  }, 30_000);

  test("sees what mends a version that names other files, while it starts and when it has failed", async () => {
    write({ "urocket-service.yaml": serviceOf("bun server.ts"), "server.ts": daemon("one") });
    const seen: string[] = [];
    const one = await start(["."], { watch: true, onReload: ({ outcome, problems }) => seen.push(`${outcome} ${problems.length}`) });
    write({ "other.ts": `require("fs").writeFileSync("began", ""); setInterval(() => {}, 1000);` });
    write({ "urocket-service.yaml": serviceOf("bun other.ts") });
    await until(() => existsSync(join(folder, "began")));
    write({ "other.ts": "process.exit(1);" });
    await until(() => seen.includes("kept-old 1"));
    expect(seen[0]).toBe("kept-old 0");
    write({ "other.ts": daemon("two") });
    await until(() => seen.includes("reloaded 0"));
    expect(await (await fetch(one.url)).text()).toBe("two");
  }, 30_000);

  test("that is overtaken by a stop while its daemon starts is no error of the app's", async () => {
    write({ "urocket-service.yaml": serviceOf("bun server.ts"), "server.ts": daemon("one") });
    const one = await start();
    write({ "server.ts": `require("fs").writeFileSync("began", ""); setInterval(() => {}, 1000);` });
    const stuck = outcomes(one);
    await until(() => existsSync(join(folder, "began")));
    await one.stop();
    expect(await stuck).toEqual([["kept-old", undefined]]);
  }, 30_000);

  test("that is overtaken by a stop leaves no listener open", async () => {
    const service = (more: string): string => `name: app\nlisteners: [{ tcp: 0, function: f.ts#line }${more}]\n`;
    write({ "urocket-service.yaml": service(""), "f.ts": source("one") });
    const one = await start();
    const socket = join(folder, "late.sock");
    write({ "urocket-service.yaml": service(`, { unix: ${socket}, function: f.ts#line }`) });
    const reloaded = one.reload();
    await until(() => readdirSync(folder).some((name) => name.endsWith(".sock") || name.startsWith(".")));
    await one.stop();
    await reloaded;
    expect(readdirSync(folder).filter((name) => name.endsWith(".sock"))).toEqual([]);
  }, 30_000);

  const replying = (more: string): string => `
name: app
socket: reply.sock
paths:
  /x: { get: { inject: { cmd: ./x.sh } } }
  /f: { get: { function: f.ts#id } }
${more}`;

  test("whose functions cannot be loaded leaves the reply socket to the version before", async () => {
    write({ "urocket-service.yaml": replying(""), "f.ts": source("one"), "x.sh": replyThere });
    chmodSync(join(folder, "x.sh"), 0o755);
    const one = await start();
    expect((await fetch(`${one.url}/x`)).status).toBe(200);
    write({ "f.ts": `${source("two")}\nthrow new Error("no");\n` });
    expect((await one.reload()).apps.map(({ outcome }) => outcome)).toEqual(["kept-old"]);
    expect((await fetch(`${one.url}/x`)).status).toBe(200);
  });

  test("whose listener cannot be opened leaves the reply socket to the version before", async () => {
    write({ "urocket-service.yaml": replying(""), "f.ts": source("one"), "x.sh": replyThere });
    chmodSync(join(folder, "x.sh"), 0o755);
    const one = await start();
    expect((await fetch(`${one.url}/x`)).status).toBe(200);
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    write({ "urocket-service.yaml": replying(`listeners: [{ tcp: ${taken.port}, function: f.ts#line }]`) });
    expect((await one.reload()).apps.map(({ outcome }) => outcome)).toEqual(["kept-old"]);
    expect((await fetch(`${one.url}/x`)).status).toBe(200);
    taken.stop(true);
  });

  test("that is overtaken by a stop does not build to the end", async () => {
    write({ "urocket-service.yaml": "name: app\npaths: { /id: { get: { function: f.ts#id } } }\n", "f.ts": source("one") });
    const one = await start(["."], { mode: "serve" });
    write({ "f.ts": source("two") });
    const reloaded = one.reload();
    const isBuilding = (): boolean => readdirSync(join(runFolder(), "builds")).some((name) => name.startsWith(".work-"));
    await until(isBuilding);
    const before = builds();
    const stopped = one.stop();
    expect((await reloaded).apps.map(({ outcome, problems }) => [outcome, problems])).toEqual([["kept-old", []]]);
    expect(builds()).toEqual(before);
    await stopped;
  });

  test("that is overtaken by a stop watches nothing any more", async () => {
    write({ "urocket-service.yaml": `name: app\n${program}` });
    const before = watchesOfThisProcess();
    const seen: string[] = [];
    const one = await start(["."], { watch: true, onReload: ({ outcome }) => seen.push(outcome) });
    const reloaded = one.reload();
    await one.stop();
    await reloaded;
    expect(seen).toEqual(["unchanged"]);
    expect(watchesOfThisProcess()).toBe(before);
  });

  function copiesOf(name: string): string[] {
    const found = readdirSync(runFolder(), { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(`/${name}`));
    return found.map((path) => readFileSync(join(runFolder(), path), "utf8"));
  }

  /** The runner's own bundle is made beside serving, and comes when it comes. */
  function contents(): string[] {
    const found = readdirSync(runFolder(), { recursive: true, encoding: "utf8" });
    return found.filter((path) => !path.startsWith("builds/runner")).toSorted();
  }

  function builds(): string[] {
    return readdirSync(join(runFolder(), "builds"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^[0-9a-f]{40}$/.test(entry.name))
      .map(({ name }) => name);
  }
});

/** inotify(7) watches: proc(5), fdinfo. */
function watchesOfThisProcess(): number {
  let watches = 0;
  for (const descriptor of readdirSync("/proc/self/fdinfo")) {
    try {
      watches += readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")
        .split("\n")
        .filter((line) => line.startsWith("inotify ")).length;
    } catch {
      // It was the one that lists them.
    }
  }
  return watches;
}

async function until(met: () => boolean): Promise<void> {
  while (!met()) await new Promise(setImmediate);
}
