import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import type { App } from "./app.ts";
import { loadServiceFile } from "./service-file.ts";

type Files = Readonly<Record<string, string>>;

async function load(yaml: string, files: Files = {}): Promise<App> {
  using app = appOf({ "urocket-service.yaml": yaml, "server.ts": "", ...files });
  const loaded = await loadServiceFile(app.folder);
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  expect(loaded.warnings).toEqual([]);
  return loaded.app;
}

/** Each diagnostic in short: "error 3:5 message | hint", the app's folder as ".". */
async function told(yaml: string, files: Files = {}): Promise<readonly string[]> {
  using app = appOf({ "urocket-service.yaml": yaml, "server.ts": "", ...files });
  const loaded = await loadServiceFile(app.folder);
  return (loaded.ok ? loaded.warnings : loaded.problems).map(
    ({ severity, place, message, hint }) =>
      `${severity} ${place?.line}:${place?.column} ${message}${hint === undefined ? "" : ` | ${hint.replaceAll(app.folder, ".")}`}`,
  );
}

describe("a service", () => {
  test("needs a command, and has a default for everything else", async () => {
    const app = await load("service: { cmd: bun server.ts }\n");
    expect(app.service).toEqual({
      argv: ["bun", "server.ts"],
      wd: app.folder,
      env: [],
      port: 8080,
      health: { everyMs: 10_000, timeoutMs: 2_000, failuresMax: 3 },
      startTimeoutMs: 30_000,
      timeoutMs: 30_000,
      idleMs: 300_000,
      place: { file: app.file, line: 1, column: 1, text: "service: { cmd: bun server.ts }" },
    });
    expect(app.scale.concurrency).toBe(1024);
    expect(app.operations).toEqual([]);
  });

  test("may say everything", async () => {
    const yaml = `
env: [LOG=debug]
timeout: 20s
scale: { concurrency: 7 }
service:
  cmd: [sh, server.ts, --at, "{{ host }}:{{port}}"]
  wd: .
  env: { LOG: info, MODE: fast }
  port: 3000
  health: { path: healthz?deep=1, every: 1s, timeout: 200ms, failures: 5 }
  start: 1m
  timeout: 3s
  idle: 1h
`;
    const { service, scale } = await load(yaml);
    expect(service).toMatchObject({
      argv: ["sh", "server.ts", "--at", "{{host}}:{{port}}"],
      env: [
        ["LOG", "debug"],
        ["LOG", "info"],
        ["MODE", "fast"],
      ],
      port: 3000,
      health: { path: "/healthz?deep=1", everyMs: 1000, timeoutMs: 200, failuresMax: 5 },
      startTimeoutMs: 60_000,
      timeoutMs: 3000,
      idleMs: 3_600_000,
    });
    expect(scale.concurrency).toBe(7);
  });

  test("is looked at by a path where that is all that its health says", async () => {
    const { service } = await load("service: { cmd: bun server.ts, health: /healthz }\n");
    expect(service?.health).toEqual({ path: "/healthz", everyMs: 10_000, timeoutMs: 2_000, failuresMax: 3 });
  });

  test("serves the operations that name it, each with its own timeout, the service's or the app's", async () => {
    const { operations } = await load(`
timeout: 9s
service: { cmd: bun server.ts, timeout: 3s }
paths:
  /a: { get: { service: true } }
  /b: { post: { service: true, timeout: 1s } }
`);
    expect(operations).toMatchObject([
      { kind: "service", path: "/a", method: "GET", timeoutMs: 3000, validateOut: false },
      { kind: "service", path: "/b", method: "POST", timeoutMs: 1000 },
    ]);
    const { operations: others } = await load("timeout: 9s\nservice: { cmd: bun server.ts }\npaths: { /: { get: { service: true } } }\n");
    expect(others).toMatchObject([{ timeoutMs: 9000 }]);
  });

  const paths = "a path such as /healthz, or a mapping with `path`, `every`, `timeout` and `failures`";
  test.each([
    [
      "service: bun server.ts",
      'error 1:10 "service" must be a mapping with the daemon to start, such as { cmd: bun server.ts }, found the text "bun server.ts"',
    ],
    ["service: { port: 80 }", 'error 1:10 "service" has no "cmd" | Write the daemon to start, such as `cmd: bun server.ts`'],
    ["service: { cmd: sh, port: 70000 }", 'error 1:27 "service.port" must be a whole number from 1 to 65535, found the number 70000'],
    ["service: { cmd: sh, prot: 80 }", 'error 1:21 Unknown key "prot" in "service" | Did you mean "port"?'],
    ["service: { cmd: sh, health: 5 }", `error 1:29 "service.health" must be ${paths}, found the number 5`],
    [
      "service: { cmd: sh, health: 'http://x/y' }",
      'error 1:29 The path "http://x/y" is an address | Write its path alone: the service is asked where it listens',
    ],
    [
      "service: { cmd: sh, health: '/a b' }",
      'error 1:29 The path "/a b" cannot be asked for | Write a path such as /healthz, what is not ASCII percent-encoded',
    ],
    ["service: { cmd: sh, health: { evry: 1s } }", 'error 1:31 Unknown key "evry" in "service.health" | Did you mean "every"?'],
    ["service: { cmd: sh, health: { every: 1ms } }", 'error 1:38 "service.health.every" must be at least 100ms, found "1ms"'],
    ["service: { cmd: sh, wd: nowhere }", 'error 1:25 Cannot find the working directory "nowhere" | There is no ./nowhere'],
    [
      "service: { cmd: sh, env: [PORT=80] }",
      'error 1:27 The environment variable "PORT" is set by urocket itself | Write `port:` with the port where the service listens in a container; in a process sandbox it is told a free one',
    ],
    ["service: { cmd: '{{port}}' }", 'error 1:17 "service.cmd" starts with {{port}}: it is no program | Put the program before it'],
    [
      "service: { cmd: 'sh -p {{prot}}' }",
      'warning 1:17 "{{prot}}" in "service.cmd" is passed to the program as it is | Did you mean {{port}}?',
    ],
    [
      "service: { cmd: 'sh {{ADDRESS}}' }",
      'warning 1:17 "{{ADDRESS}}" in "service.cmd" is passed to the program as it is | Did you mean {{host}}?',
    ],
    [
      "service: { cmd: sh -p $PORT }",
      'warning 1:17 No shell runs: "$PORT" in "service.cmd" is passed to the service as it is | Write {{port}}',
    ],
    [
      "service: { cmd: sh }\nenv: [HOST=x]",
      'warning 2:1 The service gets a "HOST" of its own: urocket tells it where to listen | Take HOST out of `env`',
    ],
    [
      "service: { cmd: nothing-of-that-name }",
      'warning 1:17 Cannot find the program "nothing-of-that-name" on PATH | Install it, or write its path; until then the app cannot be started',
    ],
    [
      "service: { cmd: sh absent.sh }",
      'warning 1:17 Cannot find the script "absent.sh" of "sh" | There is no ./absent.sh; until there is, the app cannot be started',
    ],
    [
      "paths: { /: { get: { service: true } } }",
      "error 1:22 The operation is the service's, and the app has none | Add `service:` at the top with a `cmd:`, or give it another handler",
    ],
    [
      "service: { cmd: sh }\npaths: { /: { get: { service: true, logstdout: false } } }",
      'error 2:37 "logstdout" is for programs, and the service serves this operation | Take it out',
    ],
    [
      "service: { cmd: sh }\npaths: { /: { get: { service: true, inject: { cmd: sh } } } }",
      'error 2:37 "paths./.get" has both "service" and "inject" | The other stands on line 2; keep one',
    ],
  ])("%s is told", async (yaml, message) => {
    expect(await told(yaml)).toEqual([message]);
  });
});

describe("a container", () => {
  test("has a network, a root filesystem and data as the file says", async () => {
    const app = await load(
      "service: { cmd: ./server.ts }\nsandbox: container\nnetwork: internal\nrootfs: root\ndata: true\nlimits: { tmp: 1Gi }\n",
      {
        "root/bin/server": "",
      },
    );
    expect(app).toMatchObject({ sandbox: "container", network: "internal", rootfs: `${app.folder}/root`, data: true });
    expect(app.limits.tmpBytesMax).toBe(2 ** 30);
  });

  test("may have its reply socket where it can make files, whatever is there on the host", async () => {
    const { socket } = await load("service: { cmd: sh }\nsandbox: container\nsocket: /run/null\n");
    expect(socket).toBe("/run/null");
  });

  test("is what the host says, whatever the file says", async () => {
    using app = appOf({ "urocket-service.yaml": "service: { cmd: sh }\nsandbox: process\n" });
    expect(await loadServiceFile(app.folder, undefined, "container")).toMatchObject({ ok: true, app: { sandbox: "container" } });
  });

  test.each([
    ["network: bridge", 'error 3:10 "network" must be open, internal or none, found the text "bridge"'],
    ["data: yes", 'error 3:7 "data" must be true or false, found the text "yes" | YAML 1.2 reads "yes" as a text; write true'],
    ["rootfs: nowhere", 'error 3:9 Cannot find the root filesystem "nowhere" | There is no ./nowhere'],
    ["rootfs: server.ts", 'error 3:9 The root filesystem "server.ts" is not a folder | It is ./server.ts; unpack an archive first'],
    [
      "rootfs: /",
      "error 3:9 The root filesystem \"/\" is the host's own, with everything in it | Take `rootfs:` out: a container then has the host's /usr and what belongs to it, and nothing else",
    ],
    ["rootfs: .", 'warning 3:9 The root filesystem "." has neither bin nor usr | See whether . is the folder that is meant'],
    [
      "socket: reply.sock",
      'error 3:9 Cannot make the socket "reply.sock" in a container | It would be ./reply.sock; write a path in /tmp or /run, such as /tmp/reply.sock, or take `socket:` out',
    ],
    [
      `socket: /tmp/${"x".repeat(110)}`,
      `error 3:9 The socket's path has 115 bytes; the kernel takes 107 at most | It is /tmp/${"x".repeat(110)}`,
    ],
    ["limits: { tmp: 1Ki }", 'error 3:16 "limits.tmp" must be at least 64Ki, found "1Ki"'],
    [
      "paths: { /: { get: { inject: { cmd: sh, user: root } } } }",
      'error 3:47 A program in a container cannot run as "root": it knows no user of the host | Take `user:` out: what runs in a container runs as a user of its own, without privileges',
    ],
    [
      "paths: { /: { get: { inject: { cmd: sh, wd: /var } } } }",
      "error 3:45 The working directory \"/var\" is not to be seen in a container | It is /var; of the host's files a container has the app's folder, /usr and what belongs to that",
    ],
  ])("%s is told", async (top, message) => {
    expect(await told(`service: { cmd: sh }\nsandbox: container\n${top}\n`)).toEqual([message]);
  });

  test("does not see programs of the host outside of /usr and the app", async () => {
    using outside = appOf({ tool: "#!/bin/sh\n" });
    await Bun.$`chmod +x ${outside.path("tool")}`.quiet();
    const yaml = (sandbox: string): string => `sandbox: ${sandbox}\nservice: { cmd: tool, env: [PATH=${outside.folder}] }\n`;
    expect(await told(yaml("process"))).toEqual([]);
    expect(await told(yaml("container"))).toEqual([
      'warning 2:17 The program "tool" is not to be seen in a container | Put it into the app\'s folder, or install it below /usr; until then the app cannot be started',
    ]);
  });

  test("that is none makes what only containers hold a warning", async () => {
    const meant = "Write `sandbox: container`, or take it out";
    expect(await told("service: { cmd: sh }\nnetwork: none\nrootfs: root\nlimits: { tmp: 1Mi }\n", { "root/bin/sh": "" })).toEqual([
      `warning 2:1 "network: none" is not held: programs reach what the host reaches in a process sandbox | ${meant}`,
      `warning 3:1 "rootfs" is not used: programs see the host's files in a process sandbox | ${meant}`,
      `warning 4:11 "limits.tmp" is not held: programs share the host's /tmp in a process sandbox | ${meant}`,
    ]);
    using app = appOf({ "urocket-service.yaml": "service: { cmd: sh }\nsandbox: container\nnetwork: none\n" });
    const loaded = await loadServiceFile(app.folder, undefined, "process");
    expect(loaded.ok && loaded.warnings.map(({ hint }) => hint)).toEqual([
      "--sandbox process goes before the `sandbox: container` of this file",
    ]);
  });
});
