import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type AppFolder, appOf } from "../../tests/app-folder.ts";
import { nobody, root, urocket } from "../../tests/urocket-command.ts";
import { withFullDisk, withoutTools } from "../../tests/lacking-machine.ts";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";

const apps: AppFolder[] = [];
afterEach(() => {
  for (const app of apps.splice(0)) app[Symbol.dispose]();
});

const contract = `openapi: 3.1.0
info: { title: t, version: "1" }
paths:
  /a:
    get: { operationId: getA, responses: { "200": { description: ok } } }
    post: { responses: { "200": { description: ok } } }
`;

function appWith(serviceFile: string): AppFolder {
  const app = appOf({ "urocket-service.yaml": serviceFile, "openapi.yaml": contract });
  apps.push(app);
  return app;
}

const good = `openapi: openapi.yaml
paths:
  /a:
    get: { inject: { cmd: "sh -c 'echo hi'", channel: cmdline }, validate-out: true }
  /b:
    get: { inject: { cmd: cat }, validate-in: false }
`;

requireRoot("says what may not be read, and how to allow it", async () => {
  const app = appWith(good);
  chmodSync(dirname(app.folder), 0o755);
  chmodSync(app.path("urocket-service.yaml"), 0o600);
  const file = await urocket(["check", app.folder], { uid: nobody });
  expect([file.code, file.stdout]).toEqual([1, expect.stringContaining("Cannot read the service file: permission denied\n  Let the user")]);
  chmodSync(app.folder, 0o700);
  const folder = await urocket(["check", app.folder], { uid: nobody });
  expect([folder.code, folder.stdout]).toEqual([
    1,
    expect.stringContaining("Cannot read the folder app: permission denied\n  Let the user"),
  ]);
  expect(folder.stdout).not.toContain("more than one");
});

requireRoot("warns of a working directory that may not be entered, with the folder that is closed", async () => {
  const app = appWith("paths: { /a: { get: { inject: { cmd: sh x.sh, wd: closed } } } }\n");
  app.write("closed/x.sh", "");
  chmodSync(dirname(app.folder), 0o755);
  chmodSync(app.path("closed"), 0o700);
  const { code, stdout } = await urocket(["check", app.folder], { uid: nobody });
  expect([code, stdout]).toEqual([0, expect.stringContaining(`user ${nobody}: permission denied at ${app.path("closed")}\n`)]);
  expect(stdout).toContain(`Run: chmod a+x ${app.path("closed")}; until then its requests are answered 502`);
});

test("shows what would be served, warnings first, and exits 0", async () => {
  const { code, stdout, stderr } = await urocket(["check"], { cwd: appWith(good).folder });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.split("\n");
  expect(lines[0]).toStartWith("urocket-service.yaml: warning: 1 operation of the contract has no handler");
  expect(stdout).toContain(
    [
      "METHOD  PATH  VALIDATED  CHANNEL  WD  HANDLER",
      "GET     /a    in+out     cmdline  .   sh -c 'echo hi'",
      "GET     /b    no         stdin    .   cat",
      "POST    /a                            (no handler: answered 501)",
      "",
      "app is ready to serve: 3 operations, 0 errors, 1 warning",
    ].join("\n"),
  );
});

const functions = `openapi: openapi.yaml
functions: src/functions.ts
listeners: [{ tcp: 1234, function: src/lines.ts#answer }]
`;
const source = `import type { Context } from "urocket";
export const getA = (_: object, ctx: Context) => ({ hi: ctx.requestId });
`;

function appWithFunctions(text: string): AppFolder {
  const app = appWith(functions);
  app.write("src/functions.ts", text);
  app.write("src/lines.ts", "export const answer = (line: string): string => line;\n");
  return app;
}

test("shows functions and listeners, and leaves nothing of their build", async () => {
  const app = appWithFunctions(source);
  const temporary = join(app.folder, "tmp");
  mkdirSync(temporary);
  const { code, stdout } = await urocket(["check"], { cwd: app.folder, env: { TMPDIR: temporary } });
  expect(code).toBe(0);
  expect(stdout).toContain(
    [
      "METHOD  PATH  VALIDATED  CHANNEL   WD  HANDLER",
      "GET     /a    in         function      src/functions.ts#getA",
      "POST    /a                             (no handler: answered 501)",
      "",
      "LISTENER  FRAMING  IDLE  CONNECTIONS  HANDLER",
      "tcp:1234  lines    5m    1024         src/lines.ts#answer",
      "",
      "app is ready to serve: 2 operations, 1 listener, 0 errors, 1 warning",
    ].join("\n"),
  );
  expect(readdirSync(temporary)).toEqual([]);
  expect(readdirSync(app.folder).toSorted()).toEqual(["openapi.yaml", "src", "tmp", "urocket-service.yaml"]);
  const json = await urocket(["check", "-o", "json"], { cwd: app.folder });
  expect(JSON.parse(json.stdout)).toMatchObject({
    operations: [{ method: "GET", timeoutMs: 30_000, function: { file: app.path("src/functions.ts"), export: "getA" } }, {}],
    listeners: [{ name: "tcp:1234", function: { export: "answer" }, idleMs: 300_000, lineBytesMax: 65_536, connectionsMax: 1024 }],
  });
});

test("shows what the service serves, and in one row what takes every path", async () => {
  const withContract = appWith(
    "openapi: openapi.yaml\nservice: { cmd: sh server.sh, wd: daemon }\npaths: { /a: { post: { service: true, validate-out: true } } }\n",
  );
  withContract.write("daemon/server.sh", "");
  const { code, stdout } = await urocket(["check"], { cwd: withContract.folder });
  expect(code).toBe(0);
  expect(stdout).toBe(
    [
      "METHOD  PATH  VALIDATED  CHANNEL  WD      HANDLER",
      "POST    /a    in+out     service  daemon  sh server.sh",
      "GET     /a    in         service  daemon  sh server.sh",
      "",
      "app is ready to serve: 2 operations, 0 errors, 0 warnings",
      "",
    ].join("\n"),
  );
  const without = appWith("service: { cmd: cat }\npaths: { /b: { get: { inject: { cmd: cat } } } }\n");
  expect((await urocket(["check"], { cwd: without.folder })).stdout).toBe(
    [
      "METHOD  PATH  VALIDATED  CHANNEL  WD  HANDLER",
      "GET     /b    no         stdin    .   cat",
      "any     /*    no         service  .   cat",
      "",
      "app is ready to serve: 1 operation, every other path, 0 errors, 0 warnings",
      "",
    ].join("\n"),
  );
  const json = JSON.parse((await urocket(["check", "-o", "json"], { cwd: without.folder })).stdout) as { operations: unknown[] };
  expect(json).toMatchObject({ sandbox: "process", service: { cmd: ["cat"], port: 8080, health: { everyMs: 10_000 } } });
  expect(json.operations.at(-1)).toMatchObject({ path: "/*", service: true });
});

requireTool(
  "unshare",
  "runc",
  "crun",
)("warns of what this machine lacks for the app, with the command that brings it", async () => {
  const app = appWith("service: { cmd: cat }\nsandbox: container\nnetwork: none\n");
  const child = Bun.spawn(
    ["unshare", "--mount", "sh", "-euc", `${withoutTools("runc", "crun")}; exec ${root}/bin/urocket check ${app.folder}`],
    {
      stdout: "pipe",
    },
  );
  const [stdout, code] = await Promise.all([child.stdout.text(), child.exited]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /urocket-service\.yaml: warning: It cannot be served in containers on this machine: OCI runtime: [^\n]+\n {2}[^\n]*install[^\n]*crun/,
  );
  expect(stdout).toContain("app is ready to serve in containers: every path, 0 errors, 1 warning");
});

requireRoot("that cannot build the functions because the disk is full says so", async () => {
  const app = appOf({ "urocket-service.yaml": "functions: f.ts\n", "f.ts": "export const f = () => 1;\n", "tmp/none": "" });
  apps.push(app);
  const script = `${withFullDisk(app.path("tmp"))}; TMPDIR=${app.path("tmp")} exec ${root}/bin/urocket check ${app.folder}`;
  const child = Bun.spawn(["unshare", "--mount", "sh", "-euc", script], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect([code, stderr]).toEqual([1, ""]);
  expect(stdout).toMatch(/^error: Cannot build the functions in .*: no space is left on the disk$/m);
});

requireRoot("warns of files that containers may not read", async () => {
  const app = appWith("service: { cmd: sh server.sh }\nsandbox: container\nnetwork: none\n");
  app.write("server.sh", "");
  chmodSync(app.folder, 0o755);
  chmodSync(app.path("server.sh"), 0o600);
  const { stdout } = await urocket(["check", app.folder]);
  expect(stdout).toContain(`warning: ${app.path("server.sh")} cannot be read in its containers`);
  expect(stdout).toContain(`: chmod o+rX ${app.path("server.sh")}\n`);
  expect((await urocket(["check", app.folder, "--sandbox", "process"])).stdout).not.toContain("cannot be read");
});

requireRoot("warns an ordinary user that containers have no network without root", async () => {
  const check = async (network: string): Promise<string> => {
    const app = appWith(`service: { cmd: cat }\nsandbox: container\nnetwork: ${network}\n`);
    chmodSync(dirname(app.folder), 0o755);
    return (await urocket(["check", app.folder], { uid: nobody })).stdout;
  };
  expect(await check("internal")).toContain(
    'warning: "network: internal" is not held: containers of an ordinary user reach nothing but themselves\n  Run urocket as root',
  );
  expect(await check("none")).not.toContain("containers of an ordinary user");
});

test("checks an app as if another sandbox were said", async () => {
  const app = appWith("service: { cmd: cat }\nnetwork: internal\n");
  expect((await urocket(["check"], { cwd: app.folder })).stdout).toContain('warning: "network: internal" is not held');
  expect((await urocket(["check", "--sandbox", "container"], { cwd: app.folder })).stdout).not.toContain("is not held:");
  expect(await urocket(["check", "--sandbox", "vm"], { cwd: app.folder })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Allowed choices are process, container"),
  });
});

test("shows type errors and what cannot be bundled, each with its line", async () => {
  const app = appWithFunctions(`${source}const wrong: number = "text";\nimport { x } from "./nowhere.ts";\nexport { wrong, x };\n`);
  const { code, stdout } = await urocket(["check"], { cwd: app.folder });
  expect(code).toBe(1);
  expect(stdout).toContain("src/functions.ts:3:7: error: Type 'string' is not assignable to type 'number' (TS2322)");
  expect(stdout).toContain('  3 | const wrong: number = "text";\n    |       ^\n');
  expect(stdout).toContain('src/functions.ts:4:19: error: Cannot find the file "./nowhere.ts"');
  expect(stdout).toContain("Not ready to serve: 2 errors, 0 warnings");
});

test("shows every error with its line, from where it was started, and exits 1", async () => {
  const app = appWith(
    "openapi: openapi.yaml\ntimeot: 3s\npaths:\n  /a:\n    get:\n      inject: { cmd: cat }\n      outtake: http://uri/{req_id}\n",
  );
  const { code, stdout } = await urocket(["check", "app"], { cwd: join(app.folder, "..") });
  expect(code).toBe(1);
  expect(stdout).toContain("app/urocket-service.yaml:2:1: error: ");
  expect(stdout).toContain("  2 | timeot: 3s\n    | ^\n");
  expect(stdout).toContain("app/urocket-service.yaml:7:");
  expect(stdout).toContain("Not ready to serve: 2 errors");
});

test("prints JSON on request, with the same exit codes", async () => {
  const ready = await urocket(["check", "-o", "json"], { cwd: appWith(good).folder });
  expect(ready.code).toBe(0);
  expect(JSON.parse(ready.stdout)).toMatchObject({
    ok: true,
    name: "app",
    problems: [{ severity: "warning", file: "urocket-service.yaml" }],
    operations: [
      {
        method: "GET",
        path: "/a",
        operationId: "getA",
        validated: ["in", "out"],
        inject: { cmd: ["sh", "-c", "echo hi"], channel: "cmdline" },
      },
      { method: "GET", path: "/b", inContract: false, validated: [] },
      { method: "POST", path: "/a", inContract: true, validated: [] },
    ],
  });
  const broken = await urocket(["check", "-o", "json"], { cwd: appWith("paths: 3\n").folder });
  expect(broken.code).toBe(1);
  expect(JSON.parse(broken.stdout)).toMatchObject({ ok: false, problems: [{ severity: "error", file: "urocket-service.yaml", line: 1 }] });
});

test("a folder that is not there, or is a file, is wrong usage", async () => {
  const wrong = { "no-such-folder": "there is no such folder", "package.json": "it is not a folder" };
  for (const [name, why] of Object.entries(wrong)) {
    const { code, stderr } = await urocket(["check", name]);
    expect(code).toBe(2);
    expect(stderr).toContain(`Cannot check ${join(root, name)}: ${why}`);
  }
});

test("colours only a terminal, and not where NO_COLOR is set", async () => {
  const { folder } = appWith(good);
  expect((await urocket(["check"], { cwd: folder })).stdout).not.toContain("\u001b");
  const onTerminal = async (env: Record<string, string>): Promise<string> => {
    let shown = "";
    const decoder = new TextDecoder();
    const child = Bun.spawn([join(root, "bin/urocket"), "check"], {
      cwd: folder,
      env: { PATH: process.env["PATH"], TERM: "xterm", ...env },
      terminal: { cols: 200, rows: 50, data: (_, data) => void (shown += decoder.decode(data, { stream: true })) },
    });
    await child.exited;
    child.terminal?.close();
    return shown;
  };
  expect(await onTerminal({})).toContain("\u001b[33mwarning:");
  expect(await onTerminal({ NO_COLOR: "1" })).not.toContain("\u001b");
});
