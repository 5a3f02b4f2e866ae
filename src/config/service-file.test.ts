import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { appOf } from "../../tests/app-folder.ts";
import type { App, ProgramOperation } from "./app.ts";
import { loadServiceFile } from "./service-file.ts";
import { labelOf } from "./to-app.ts";

type Files = Readonly<Record<string, string>>;

/** The app of a service file; a test that expects one fails with the problems. */
async function load(yaml: string, files: Files = {}): Promise<App> {
  using app = appOf({ "urocket-service.yaml": yaml, ...files });
  const loaded = await loadServiceFile(app.folder);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => problem.message).join("\n"));
  return loaded.app;
}

async function operation(yaml: string, files: Files = {}): Promise<ProgramOperation> {
  const [first] = programs(await load(yaml, files));
  if (first === undefined) throw new Error("there is no operation with a program");
  return first;
}

const programs = ({ operations }: App): readonly ProgramOperation[] => operations.filter((it) => it.kind === "program");

describe("a service file", () => {
  test("of one program has every default filled in", async () => {
    using folder = appOf({ "urocket-service.yaml": "paths:\n  /pets:\n    get:\n      inject:\n        cmd: /bin/sh\n" });
    const loaded = await loadServiceFile(folder.folder);
    expect(loaded).toEqual({
      ok: true,
      warnings: [],
      app: {
        name: "app",
        folder: folder.folder,
        file: folder.path("urocket-service.yaml"),
        base: "",
        hosts: [],
        limits: { tmpBytesMax: 67_108_864, bodyBytesMax: 10_485_760 },
        scale: { min: 0, max: 4, concurrency: 32, queue: 256, idleMs: 300_000 },
        sandbox: "process",
        network: "open",
        data: false,
        recycle: {},
        balance: "least-requests",
        env: [],
        timeoutMs: 30_000,
        secrets: [],
        listeners: [],
        operations: [
          {
            kind: "program",
            path: "/pets",
            method: "GET",
            timeoutMs: 30_000,
            inject: { wd: folder.folder, env: [], argv: ["/bin/sh"], channel: "stdin", encoding: "json" },
            replyPath: "/uri/{req_id}",
            logStdout: "always",
            validateOut: false,
            place: { file: folder.path("urocket-service.yaml"), line: 3, column: 5, text: "    get:" },
          },
        ],
      },
    });
  });

  test("may say everything", async () => {
    const yaml = `
$schema: https://example.com/urocket-service.schema.json
x-common: &common { wd: scripts }
name: pets
openapi: openapi.yaml
base: v1/
hosts: [Pets.Example.com, pets.example.com., "[::1]", 127.0.0.1]
sandbox: process
env: [LOG=debug, EMPTY=, "EQUALS=a=b"]
timeout: 1m
limits: { memory: 256Mi, cpu: 500m, pids: 128, body: 1M }
scale: { min: 1, max: 2, concurrency: 3, queue: 4, idle: 5s }
balance: round-robin
socket: reply.sock
secrets: [API_KEY, db.password]
recycle: { age: 24h, requests: 1000, memory: 200Mi }
functions: src/functions.ts
listeners:
  - { tcp: 1234, framing: lines, function: src/lines.ts#answer }
  - unix: lines.sock
    function: src/lines.ts
    timeout: 1s
    idle: 10s
    line: 1Ki
    max-connections: 10
paths:
  /pets/{id}:
    get: { function: src/lines.ts#show, timeout: 3s, validate-out: true }
    delete:
      inject:
        <<: *common
        env: { LOG: info, RATE: 1.10, ON: true }
        cmd: sh -c 'exit 0' {{ jsonpayload }}
        channel: cmdline
        encoding: raw
        timeout: 250
      outtake: usocket://one/two/{req_id}
      logstdout: header
      validate-in: true
      validate-out: true
`;
    using folder = appOf({ "urocket-service.yaml": yaml, "openapi.yaml": "", "scripts/x": "", "src/functions.ts": "", "src/lines.ts": "" });
    const loaded = await loadServiceFile(folder.folder);
    const show = "    get: { function: src/lines.ts#show, timeout: 3s, validate-out: true }";
    const place = (line: number, text: string, column: number) => ({ file: folder.path("urocket-service.yaml"), line, column, text });
    expect(loaded).toEqual({
      ok: true,
      warnings: [],
      app: {
        name: "pets",
        folder: folder.folder,
        file: folder.path("urocket-service.yaml"),
        openapi: folder.path("openapi.yaml"),
        base: "/v1",
        hosts: ["pets.example.com", "[::1]", "127.0.0.1"],
        socket: folder.path("reply.sock"),
        limits: { memoryBytesMax: 256 * 1024 ** 2, cpuMax: 0.5, pidsMax: 128, tmpBytesMax: 67_108_864, bodyBytesMax: 1_000_000 },
        scale: { min: 1, max: 2, concurrency: 3, queue: 4, idleMs: 5000 },
        sandbox: "process",
        network: "open",
        data: false,
        recycle: { ageMs: 86_400_000, requests: 1000, memoryBytes: 200 * 1024 ** 2 },
        balance: "round-robin",
        env: [
          ["LOG", "debug"],
          ["EMPTY", ""],
          ["EQUALS", "a=b"],
        ],
        timeoutMs: 60_000,
        secrets: ["API_KEY", "db.password"],
        functions: { file: folder.path("src/functions.ts"), place: place(17, "functions: src/functions.ts", 1) },
        listeners: [
          {
            name: "tcp:1234",
            at: { kind: "tcp", address: "127.0.0.1", port: 1234 },
            framing: "lines",
            function: {
              file: folder.path("src/lines.ts"),
              export: "answer",
              named: true,
              place: place(19, "  - { tcp: 1234, framing: lines, function: src/lines.ts#answer }", 44),
            },
            timeoutMs: 60_000,
            idleMs: 300_000,
            lineBytesMax: 65_536,
            connectionsMax: 1024,
            place: place(19, "  - { tcp: 1234, framing: lines, function: src/lines.ts#answer }", 5),
          },
          {
            name: `unix:${folder.path("lines.sock")}`,
            at: { kind: "unix", path: folder.path("lines.sock") },
            framing: "lines",
            function: {
              file: folder.path("src/lines.ts"),
              export: "default",
              named: false,
              place: place(21, "    function: src/lines.ts", 15),
            },
            timeoutMs: 1000,
            idleMs: 10_000,
            lineBytesMax: 1024,
            connectionsMax: 10,
            place: place(20, "  - unix: lines.sock", 5),
          },
        ],
        operations: [
          {
            kind: "function",
            path: "/pets/{id}",
            method: "GET",
            timeoutMs: 3000,
            function: { file: folder.path("src/lines.ts"), export: "show", named: true, place: place(28, show, 22) },
            validateOut: true,
            place: place(28, show, 5),
            validateOutPlace: place(28, show, 54),
          },
          {
            kind: "program",
            path: "/pets/{id}",
            method: "DELETE",
            timeoutMs: 250,
            inject: {
              wd: folder.path("scripts"),
              env: [
                ["LOG", "debug"],
                ["EMPTY", ""],
                ["EQUALS", "a=b"],
                ["LOG", "info"],
                ["RATE", "1.10"],
                ["ON", "true"],
              ],
              argv: ["sh", "-c", "exit 0", "{{jsonpayload}}"],
              channel: "cmdline",
              encoding: "raw",
            },
            replyPath: "/one/two/{req_id}",
            logStdout: "header",
            validateIn: true,
            validateOut: true,
            place: place(29, "    delete:", 5),
            validateInPlace: place(39, "      validate-in: true", 7),
            validateOutPlace: place(40, "      validate-out: true", 7),
          },
        ],
      },
    });
  });

  test("of the stage's own documentation loads unchanged but for its paths", async () => {
    const yaml = `
paths:
  /get/pets:
    get:
      validatein: false
      inject:
        wd: /
        env:
          - MYENV=CI
        cmd: /bin/echo
        channel: "cmdline"
        encoding: json
      logstdout: true
      outtake: usocket://uri/{req_id}
      validate-out: false
  "get/cats":
    get:
      validate-in: false
      inject: { wd: /, cmd: "/bin/echo {{jsonpayload}}", channel: cmdline }
      validateout: false
`;
    expect(
      programs(await load(yaml)).map(({ path, method, inject, validateIn, validateOut }) => ({
        path,
        method,
        argv: inject.argv,
        env: inject.env,
        validateIn,
        validateOut,
      })),
    ).toEqual([
      { path: "/get/pets", method: "GET", argv: ["/bin/echo"], env: [["MYENV", "CI"]], validateIn: false, validateOut: false },
      { path: "/get/cats", method: "GET", argv: ["/bin/echo", "{{jsonpayload}}"], env: [], validateIn: false, validateOut: false },
    ]);
  });

  test("takes the other spelling of each key", async () => {
    const app = await load(
      "servicename: pets\nsocketpath: r.sock\nopenapi: o.yaml\npaths: { pets: { GET: { inject: { cmd: sh }, validatein: true, validateout: true } } }",
      { "o.yaml": "" },
    );
    expect(app).toMatchObject({
      name: "pets",
      socket: join(app.folder, "r.sock"),
      operations: [{ path: "/pets", method: "GET", validateIn: true, validateOut: true }],
    });
  });

  test.each(["urocket-service.yml", "urocket-service.json"])("may be called %s", async (name) => {
    using folder = appOf({ [name]: '{\n\t"paths": {\n\t\t"/": {"get": {"inject": {"cmd": ["sh"]}}}\n\t}\n}\n' });
    expect(await loadServiceFile(folder.folder)).toMatchObject({ ok: true, app: { file: folder.path(name), operations: [{ path: "/" }] } });
  });

  test("may start with a byte order mark and end its lines with CR LF", async () => {
    const { place } = await operation("\ufeffpaths:\r\n  /:\r\n    get:\r\n      inject: {cmd: sh}\r\n");
    expect(place).toMatchObject({ line: 3, column: 5, text: "    get:" });
  });

  test.each([
    ["!ToSplit 'sh -c \"a b\"'", ["sh", "-c", "a b"]],
    ["!Splitted [sh, -c, a b, 1.50, true]", ["sh", "-c", "a b", "1.50", "true"]],
    ["[sh, '{{  jsonpayload }}', 'a={{jsonpayload}}']", ["sh", "{{jsonpayload}}", "a={{jsonpayload}}"]],
    ["sh 'a | b' $HOME", ["sh", "a | b", "$HOME"]],
    ["sh '{{.Id}}' {{ other }}", ["sh", "{{.Id}}", "{{", "other", "}}"]],
  ])("reads cmd: %s as %p", async (cmd, argv) => {
    const { inject } = await operation(`paths:\n  /:\n    get:\n      inject:\n        channel: cmdline\n        cmd: ${cmd}\n`);
    expect(inject.argv).toEqual(argv as [string, ...string[]]);
  });

  test.each([
    ["true", "always"],
    ["false", "never"],
    ["header", "header"],
  ])("reads logstdout: %s as %s", async (written, meant) => {
    expect(await operation(`paths: { /: { get: { logstdout: ${written}, inject: { cmd: sh } } } }`)).toMatchObject({ logStdout: meant });
  });

  test.each([
    ["usocket://one/two/{req_id}", "/one/two/{req_id}"],
    ["usocket://{req_id}", "/{req_id}"],
    ["usocket:///uri/{req_id}/end", "/uri/{req_id}/end"],
  ])("takes the outtake %s as the reply path %s", async (written, replyPath) => {
    expect(await operation(`paths: { /: { get: { outtake: "${written}", inject: { cmd: sh } } } }`)).toMatchObject({ replyPath });
  });

  test("gives an operation's timeout precedence over the app's", async () => {
    const app = await load(
      "timeout: 2s\npaths: { /a: { get: { inject: { cmd: sh } } }, /b: { get: { inject: { cmd: sh, timeout: 1s } } } }",
    );
    expect(app.operations.map(({ timeoutMs }) => timeoutMs)).toEqual([2000, 1000]);
  });

  test("may give the timeout beside a program, and beside a function", async () => {
    const { operations } = await load(
      "paths: { /a: { get: { inject: { cmd: sh }, timeout: 1s }, put: { function: f.js, timeout: 2s }, post: { function: f.js } } }",
      { "f.js": "" },
    );
    expect(operations.map(({ method, timeoutMs }) => [method, timeoutMs])).toEqual([
      ["GET", 1000],
      ["PUT", 2000],
      ["POST", 30_000],
    ]);
  });

  test.each([
    ["1234", "tcp:1234", "127.0.0.1", 1234],
    ["'1234'", "tcp:1234", "127.0.0.1", 1234],
    ["0", "tcp:0", "127.0.0.1", 0],
    ["127.0.0.1:1234", "tcp:1234", "127.0.0.1", 1234],
    ["10.0.0.1:1234", "tcp:10.0.0.1:1234", "10.0.0.1", 1234],
    ["'[::1]:1234'", "tcp:[::1]:1234", "::1", 1234],
    ["'[0:0::0001]:1234'", "tcp:[::1]:1234", "::1", 1234],
    ["':1234'", "tcp:[::]:1234", "::", 1234],
  ])("takes the listener's tcp: %s as %s", async (written, name, address, port) => {
    const { listeners } = await load(`listeners: [{ tcp: ${written}, function: f.ts }]`, { "f.ts": "" });
    expect(listeners).toMatchObject([{ name, at: { kind: "tcp", address, port }, function: { export: "default", named: false } }]);
  });

  test("may have several listeners, two of port 0 among them", async () => {
    const yaml =
      "listeners: [{ tcp: 0, function: f.ts }, { tcp: 0, function: f.ts }, { unix: a, function: f.ts }, { unix: b, function: f.ts }]";
    expect((await load(yaml, { "f.ts": "" })).listeners).toHaveLength(4);
  });

  test("names a secret once, however often it stands there", async () => {
    expect((await load("openapi: o.yaml\nsecrets: [A, B, A]", { "o.yaml": "" })).secrets).toEqual(["A", "B"]);
  });

  test.each(["f.ts", "f.tsx", "f.mts", "f.cts", "f.js", "f.jsx", "f.mjs", "f.cjs"])("may have its functions in %s", async (file) => {
    const app = await load(`functions: ./src/../${file}`, { [file]: "", "src/x": "" });
    expect(app.functions?.file).toBe(join(app.folder, file));
  });

  test("raises the default of scale.max to a larger scale.min", async () => {
    expect((await load("scale: { min: 9 }\npaths: { /: { get: { inject: { cmd: sh } } } }")).scale).toMatchObject({ min: 9, max: 9 });
  });

  test("may hold a contract and no paths", async () => {
    expect(await load("openapi: o.yaml", { "o.yaml": "" })).toMatchObject({ operations: [] });
  });

  test("may have aliases and merge keys, in which the nearest definition wins", async () => {
    const yaml = `
x-a: &a { cmd: sh, wd: one, env: [FROM=a] }
x-b: &b { <<: *a, wd: two }
paths:
  /one: { get: { inject: *a } }
  /two: { get: { inject: { <<: [*b, *a], channel: cmdline } } }
  /three: { get: { inject: { <<: *b, wd: three } } }
`;
    const app = await load(yaml, { "one/x": "", "two/x": "", "three/x": "" });
    expect(programs(app).map(({ inject }) => inject.wd.slice(app.folder.length))).toEqual(["/one", "/two", "/three"]);
    expect(programs(app).map(({ inject }) => inject.env)).toEqual([[["FROM", "a"]], [["FROM", "a"]], [["FROM", "a"]]]);
  });

  test("of a thousand operations loads", async () => {
    const paths = Array.from({ length: 1000 }, (_, number) => `  /things${number}/{id}:\n    get: { inject: { cmd: sh x.sh } }\n`);
    expect((await load(`paths:\n${paths.join("")}`)).operations).toHaveLength(1000);
  });
});

describe("an app's default name", () => {
  test.each([
    ["pets", "pets"],
    ["My Pets_2", "my-pets-2"],
    ["--x--", "x"],
    ["2024-pets", "pets"],
    ["Käse", "k-se"],
    ["a".repeat(80), "a".repeat(63)],
    [`${"a".repeat(62)} b`, "a".repeat(62)],
    ["123", undefined],
    ["", undefined],
    ["日本", undefined],
  ])("of the folder %p is %p", (folder, name) => {
    expect(labelOf(folder)).toBe(name);
  });
});
