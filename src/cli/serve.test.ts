import { afterEach, expect, test } from "bun:test";
import { appendFileSync, chmodSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AppFolder, appOf } from "../../tests/app-folder.ts";
import { eventually } from "../../tests/eventually.ts";
import { inits, withFullDisk, withLockedSysctls, withoutTools } from "../../tests/lacking-machine.ts";
import { serve } from "../../tests/serving.ts";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { binary, nobody, ownEnvironment, root, urocket } from "../../tests/urocket-command.ts";

const apps: AppFolder[] = [];
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  for (const app of apps.splice(0)) app[Symbol.dispose]();
});

const slow = `name: slow
paths:
  /now:
    get: { inject: { cmd: "sh -c 'printf now | urocket reply'" } }
  /never:
    get: { inject: { cmd: sleep 60 } }
`;

function slowApp(): string {
  const app = appOf({ "urocket-service.yaml": slow });
  apps.push(app);
  return app.folder;
}

test("says on stderr what it serves, from where, and at which address; stdout holds only the log", async () => {
  const folder = slowApp();
  await using host = await serve(folder);
  expect(host.stderr()).toContain(`slow: 2 operations from ${folder}`);
  expect(host.stderr()).toContain(`Serving at ${host.url}\n`);
  expect(host.stderr()).not.toContain("Ctrl-C");
  const response = await fetch(`${host.url}/now`);
  expect(await response.text()).toBe("now");
  await host.exchange(response.headers.get("x-request-id") ?? "");
});

test("with --timing responses tell their times, and --no-timing wins over the variable", async () => {
  const folder = slowApp();
  {
    await using host = await serve(folder, { flags: ["--timing"] });
    expect((await fetch(`${host.url}/now`)).headers.get("server-timing")).toMatch(/\brun;dur=\d/);
  }
  await using host = await serve(folder, { flags: ["--no-timing"], env: { UROCKET_TIMING: "1" } });
  expect((await fetch(`${host.url}/now`)).headers.get("server-timing")).toBeNull();
});

test("a port that is taken is told with what to do, exit 1", async () => {
  const folder = slowApp();
  await using host = await serve(folder);
  const { code, stderr } = await urocket(["serve", folder], { env: { UROCKET_PORT: String(host.port) } });
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`error: .*${host.port}`));
  expect(stderr).toMatch(/\n {2}.*--port/);
});

test("a port that is taken is told before an instance is started", async () => {
  const source = 'require("node:fs").writeFileSync("started", ""); Bun.serve({ port: process.env.PORT, fetch: () => new Response() });';
  const app = appOf({ "urocket-service.yaml": "service: { cmd: bun server.ts }\n", "server.ts": source });
  apps.push(app);
  await using host = await serve(slowApp());
  expect((await urocket(["serve", app.folder, "--port", String(host.port)])).code).toBe(1);
  expect(existsSync(app.path("started"))).toBeFalse();
});

test("an address that is not this machine's is told, exit 1", async () => {
  const { code, stderr } = await urocket(["serve", slowApp(), "-p", "0", "-a", "192.0.2.1"]);
  expect(code).toBe(1);
  expect(stderr).toContain("192.0.2.1");
  expect(stderr).toContain("--address");
});

test("every bad setting and folder is told at once, exit 2", async () => {
  const { code, stdout, stderr } = await urocket(["serve", "/nonexistent", "package.json", "-p", "x"], { env: { UROCKET_GRACE: "soon" } });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain('error: Cannot use --port "x": it is not a port');
  expect(stderr).toContain('error: Cannot use UROCKET_GRACE "soon": it is not a duration');
  expect(stderr).toContain("error: Cannot serve /nonexistent: there is no such folder");
  expect(stderr).toContain(`error: Cannot serve ${join(root, "package.json")}: it is not a folder`);
});

test("secrets that an app needs are told with where they are looked for, before anything starts", async () => {
  const app = appOf({ "urocket-service.yaml": slow.replace("name: slow", "name: slow\nsecrets: [API_KEY]") });
  apps.push(app);
  const without = await urocket(["serve", app.folder, "-p", "0"]);
  expect([without.code, without.stderr]).toEqual([2, expect.stringMatching(/API_KEY[^]*--secrets DIR/)]);
  const elsewhere = await urocket(["serve", app.folder, "-p", "0"], { env: { UROCKET_SECRETS_DIR: "/nonexistent" } });
  expect([elsewhere.code, elsewhere.stderr]).toEqual([
    2,
    expect.stringContaining("Cannot read secrets from /nonexistent: there is no such folder"),
  ]);
  app.write("secrets/API_KEY", "hush");
  await using host = await serve(app.folder, { flags: ["--secrets", app.path("secrets")] });
  expect((await fetch(`${host.url}/now`)).status).toBe(200);
});

test("contracts are shown only when asked for", async () => {
  const folder = slowApp();
  {
    await using host = await serve(folder);
    expect(host.stderr()).not.toContain("_docs");
    expect((await fetch(`${host.url}/_docs`)).status).toBe(404);
  }
  await using host = await serve(folder, { env: { UROCKET_DOCS: "1" } });
  expect(host.stderr()).toContain(`Contracts at ${host.url}/_docs\n`);
  expect(await (await fetch(`${host.url}/_docs`)).text()).toContain("has no contract");
});

test("a configuration with errors is shown whole and counted, exit 2", async () => {
  const app = appOf({ "urocket-service.yaml": "timeot: 3\nlimit: 4\n" });
  apps.push(app);
  const { code, stderr } = await urocket(["serve", "-p", "0"], { cwd: app.folder });
  expect(code).toBe(2);
  expect(stderr).toContain("urocket-service.yaml:1:1: error: ");
  expect(stderr).toContain("urocket-service.yaml:2:1: error: ");
  expect(stderr).toMatch(/error: Cannot serve: \d errors in the configuration/);
});

test("a variable that is misspelt is told, and serving goes on", async () => {
  await using host = await serve(slowApp(), { env: { UROCKET_TIMNG: "1" } });
  expect(host.stderr()).toContain("warning: UROCKET_TIMNG is not a setting and is ignored\n  Did you mean UROCKET_TIMING?");
});

test("TERM drains: what is open may finish within the grace, then it is ended; exit 0", async () => {
  await using host = await serve(slowApp(), { flags: ["--grace", "100ms"] });
  const open = fetch(`${host.url}/never`).then(
    (response) => response.status,
    () => "closed",
  );
  await host.said(/Serving/);
  host.signal("SIGTERM");
  await host.said(/Draining: open requests may finish within 0.1 s/);
  expect(await host.exited).toBe(0);
  expect([503, 504, "closed"]).toContain(await open);
});

test("a second INT ends at once, with the exit code of an interrupted program", async () => {
  const host = await serve(slowApp(), { flags: ["--grace", "1h"] });
  const open = fetch(`${host.url}/never`).catch(() => undefined);
  await eventually("the program runs", () => host.processes().some(({ command }) => command.includes("sleep")));
  host.signal("SIGINT");
  await host.said(/Draining/);
  host.signal("SIGINT");
  expect(await host.exited).toBe(130);
  await open;
  await eventually("nothing of it is left", () => host.processes().length === 0);
});

test("HUP reloads and says what came of it; a bad version does not replace a good one", async () => {
  const folder = slowApp();
  await using host = await serve(folder);
  host.signal("SIGHUP");
  await host.said(/slow: unchanged/);
  await Bun.write(join(folder, "urocket-service.yaml"), slow.replace("/now", "/later"));
  host.signal("SIGHUP");
  await host.said(/slow: reloaded/);
  expect((await fetch(`${host.url}/later`)).status).toBe(200);
  await Bun.write(join(folder, "urocket-service.yaml"), "paths: 3\n");
  host.signal("SIGHUP");
  await host.said(/urocket-service.yaml:1:\d+: error: /);
  await host.said(/slow: the new version has errors; the one before it is still served/);
  expect((await fetch(`${host.url}/later`)).status).toBe(200);
});

/** `serve` on a terminal of its own, once it serves. */
async function onTerminal(): Promise<{
  readonly child: Bun.Subprocess;
  readonly url: string;
  readonly shown: () => string;
  readonly until: (pattern: RegExp) => Promise<RegExpExecArray>;
}> {
  let shown = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([binary, "serve", slowApp(), "-p", "0"], {
    env: ownEnvironment({ TERM: "xterm" }),
    terminal: { cols: 200, rows: 50, data: (_, data) => void (shown += decoder.decode(data, { stream: true })) },
  });
  cleanups.push(() => {
    child.kill("SIGKILL");
    child.terminal?.close();
  });
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    eventually(
      () => `the terminal shows ${pattern}, but: ${shown}`,
      () => pattern.exec(Bun.stripANSI(shown)) ?? undefined,
    );
  const [, url = ""] = await until(/Serving at (http:\S+) \(Ctrl-C stops\)/);
  return { child, url, shown: () => shown, until };
}

test("on a terminal the log is for people, with colours, and Ctrl-C stops", async () => {
  const { child, url, shown, until } = await onTerminal();
  await fetch(`${url}/now`);
  await until(/GET {4}\/now +200 +[\d.]+ ms \(spawn [\d.]+, run [\d.]+\)/);
  expect(shown()).toContain("\u001b[32m200\u001b[39m");
  child.terminal?.write("\u0003");
  await until(/Draining.*Ctrl-C again ends at once/);
  expect(await child.exited).toBe(0);
});

test("on a terminal HUP reloads; when the terminal is closed it stops", async () => {
  const { child, until } = await onTerminal();
  child.kill("SIGHUP");
  await until(/slow: unchanged/);
  child.terminal?.close();
  expect(await child.exited).toBe(0);
});

test("under npx, which hands no signal on, ends when npx is ended", async () => {
  const folder = slowApp();
  const npx = Bun.spawn(["npx", "--no", "urocket", "serve", folder, "-p", "0"], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  cleanups.push(() => npx.kill("SIGKILL"));
  let told = "";
  void (async () => {
    for await (const chunk of npx.stderr) told += Buffer.from(chunk).toString();
  })();
  const url = await eventually("the host serves", () => /Serving at (\S+)/.exec(told)?.[1]);
  expect((await fetch(`${url}/now`)).status).toBe(200);
  npx.kill("SIGTERM");
  await npx.exited;
  await eventually("the host has ended too", () =>
    fetch(`${url}/now`).then(
      () => undefined,
      () => true,
    ),
  );
});

/** `serve` as root in a network namespace of its own, where `prepare` (sh) was run first. */
function startWhere(prepare: string, folder: string, ...flags: readonly string[]): Bun.Subprocess<"ignore", "ignore", "pipe"> {
  const script = `${prepare}\nexec "$0" serve "$@"`;
  const child = Bun.spawn(["unshare", "--net", "--mount", "sh", "-euc", script, binary, folder, "-p", "0", ...flags], {
    env: ownEnvironment(),
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  cleanups.push(() => child.kill("SIGKILL"));
  return child;
}

/** As `startWhere`, of one that ends by itself. */
async function serveWhere(prepare: string, folder: string, ...flags: readonly string[]): Promise<{ code: number; err: string }> {
  const child = startWhere(prepare, folder, ...flags);
  const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
  return { code, err };
}

requireRoot("tells how programs' memory is measured only where there are programs", async () => {
  const service = appOf({
    "urocket-service.yaml": "service: { cmd: bun server.ts }\n",
    "server.ts": "Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response() });\n",
    "run/none": "",
  });
  apps.push(service);
  const { folder } = service;
  const sampled = async (): Promise<boolean> => {
    const env = ownEnvironment({ TMPDIR: service.path("run") });
    const user = { uid: nobody, gid: nobody };
    const child = Bun.spawn([binary, "serve", folder, "-p", "0"], { env, stdout: "pipe", stderr: "pipe", ...user });
    cleanups.push(() => child.kill("SIGKILL"));
    let told = "";
    for await (const chunk of child.stderr) {
      told += Buffer.from(chunk).toString();
      if (told.includes("Serving at")) child.kill("SIGTERM");
    }
    expect([await child.exited, told]).toEqual([0, expect.stringContaining("Serving at") as string]);
    return (await child.stdout.text()).includes('"memory-sampled"');
  };
  for (const path of [dirname(folder), folder, service.path("run")]) chmodSync(path, 0o777);
  expect(await sampled()).toBe(false);
  service.write("urocket-service.yaml", slow);
  expect(await sampled()).toBe(true);
});

requireRoot("says where the disk is full, and what to do", async () => {
  const functions = appOf({
    "urocket-service.yaml": "functions: f.ts\npaths: { /f: { get: { function: f.ts#f } } }\n",
    "f.ts": "export const f = () => 1;\n",
  });
  const service = appOf({ "urocket-service.yaml": 'service: { cmd: "true" }\nsecrets: [KEY]\n', "secrets/KEY": "k".repeat(9000) });
  apps.push(functions, service);
  const full = withFullDisk("/run/urocket");
  expect(await serveWhere(full, functions.folder)).toEqual({
    code: 2,
    err: expect.stringMatching(
      /^error: Cannot build the functions in \/run\/urocket\/urocket-[^ ]+\/builds: no space is left on the disk\n/,
    ) as string,
  });
  expect(await serveWhere(full, service.folder, "--secrets", service.path("secrets"))).toEqual({
    code: 1,
    err: expect.stringMatching(
      /^error: Cannot write to the run folder \/run\/urocket\/urocket-[^ ]+: no space is left on the disk\n {2}Make room there, or set/,
    ) as string,
  });
});

requireRoot("says where data cannot be kept, and what to do", async () => {
  const app = appOf({ "urocket-service.yaml": 'data: true\nservice: { cmd: "true" }\n', "full/none": "" });
  apps.push(app);
  const full = app.path("full");
  // A folder takes no room, only an inode.
  const none = `mount -t tmpfs -o nr_inodes=1 tmpfs ${full}`;
  expect(await serveWhere(none, app.folder, "--data", join(full, "new"))).toEqual({
    code: 1,
    err: expect.stringMatching(
      /^error: Cannot make the data folder .*\/full\/new\/data\/[^ ]+: no space is left on the disk\n {2}Make room/,
    ) as string,
  });
  expect(await serveWhere("", app.folder, "--data", "/proc/new")).toEqual({
    code: 1,
    err: expect.stringMatching(
      /^error: Cannot make the data folder \/proc\/new\/data\/[^ ]+: there is no such file\n {2}Let this user/,
    ) as string,
  });
});

const requireContainerTools = requireTool("unshare", "runc", "crun", "nft", "ip", "tini");

requireContainerTools("says that there is no room for what containers are made of", async () => {
  const app = appOf({ "urocket-service.yaml": 'service: { cmd: "true" }\nsandbox: container\nnetwork: none\n' });
  apps.push(app);
  expect(await serveWhere(withFullDisk("/run/urocket"), app.folder)).toEqual({
    code: 1,
    err: expect.stringMatching(
      /^error: Cannot prepare the files of containers in \/run\/urocket\/[^ ]+\/containers: no space is left on the disk\n {2}Make room there/,
    ) as string,
  });
});

requireContainerTools(
  "does not start apps in containers without a runtime, an init or nft, and says what brings them",
  async () => {
    const folder = slowApp();
    const about = async (...tools: readonly string[]) => await serveWhere(withoutTools(...tools), folder, "--sandbox", "container");
    expect(await about("runc", "crun")).toEqual({
      code: 1,
      err: expect.stringMatching(/^error: .*\n {2}.*install.* crun/) as string,
    });
    expect(await about(...inits)).toEqual({
      code: 1,
      err: expect.stringMatching(/^error: .*\n {2}.*install.* tini/) as string,
    });
    expect(await about("nft")).toEqual({
      code: 1,
      err: expect.stringMatching(/^error: .*nft cannot be found\n {2}.*(?:install|add) nftables/) as string,
    });
  },
  30_000,
);

requireContainerTools(
  "says why no container starts where /proc/sys is locked, and what to do",
  async () => {
    const { code, err } = await serveWhere(withLockedSysctls, slowApp(), "--sandbox", "container");
    expect(code).toBe(1);
    expect(err).toMatch(
      /^error: App "[^"]+" cannot start: [^\n]*; \/proc\/sys is covered by a mount: [^\n]*\. Run urocket on the machine itself/,
    );
  },
  30_000,
);

requireContainerTools(
  "serves apps that ask for no network where none can be made",
  async () => {
    const folder = slowApp();
    appendFileSync(join(folder, "urocket-service.yaml"), "\nsandbox: container\nnetwork: none\n");
    const host = startWhere(withoutTools("nft", "ip"), folder);
    let told = "";
    for await (const chunk of host.stderr) {
      told += Buffer.from(chunk).toString();
      if (told.includes("Serving at")) host.kill("SIGTERM");
    }
    expect([await host.exited, told]).toEqual([0, expect.stringContaining("in containers") as string]);
    expect(told).not.toContain("warning");
  },
  30_000,
);
