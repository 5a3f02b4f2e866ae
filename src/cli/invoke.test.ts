import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { type AppFolder, appOf } from "../../tests/app-folder.ts";
import { type Ran, type RunOptions, urocket } from "../../tests/urocket-command.ts";

const apps: AppFolder[] = [];
afterEach(() => {
  for (const app of apps.splice(0)) app[Symbol.dispose]();
});

const files = {
  "urocket-service.yaml": `
name: echoes
openapi: openapi.yaml
base: /v1
paths:
  /echo/{word}:
    post: { inject: { cmd: ./echo.sh, channel: stdin }, outtake: "usocket://uri/{req_id}" }
  /refuse:
    get: { inject: { cmd: "sh -c 'echo told >&2; echo no | urocket reply --status 418 --type text/plain'" } }
  /silent:
    get: { inject: { cmd: "true" } }
`,
  "openapi.yaml": `
openapi: 3.1.0
info: { title: Echoes, version: "1" }
paths:
  /echo/{word}:
    parameters: [{ name: word, in: path, required: true, schema: { type: string } }]
    post:
      operationId: echo
      requestBody: { content: { application/json: { schema: { type: object } }, text/plain: {} } }
      responses: { "200": { description: ok, content: { application/json: {} } } }
  /refuse: { get: { operationId: refuse, responses: { default: { description: any } } } }
  /silent: { get: { operationId: silent, responses: { default: { description: any } } } }
`,
  "echo.sh": '#!/bin/sh\nprintf \'{"word":"%s","type":"%s","got":%s}\' "$UROCKET_PARAM_WORD" "$CONTENT_TYPE" "$(cat)" | urocket reply\n',
};

function app(): AppFolder {
  const made = appOf(files);
  apps.push(made);
  return made;
}

/** A host that answers with what it was asked. */
const echo = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/v1/refuse") return new Response("no such luck", { status: 404, headers: [["x-a", "1"]] });
    if (pathname === "/v1/silent") return new Response(new Uint8Array([255, 0]), { headers: { "content-type": "image/png" } });
    const headers = { type: request.headers.get("content-type"), own: request.headers.get("x-own"), host: request.headers.get("host") };
    return Response.json({ method: request.method, path: pathname + search, ...headers, body: await request.text() });
  },
});
afterAll(() => echo.stop(true));

const ask = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  urocket(["invoke", ...args, "--url", echo.url.href], { cwd: app().folder, ...options });

async function asked(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
  const { code, stdout, stderr } = await ask(args, options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("a request", () => {
  test("has its path, query and headers as they are given, encoded", async () => {
    const args = ["echo", "--param", "word=a b/c", "-q", "x=1&2", "-q", "x=ü", "-H", "X-Own: yes"];
    expect(await asked(args)).toMatchObject({ method: "POST", path: "/v1/echo/a%20b%2Fc?x=1%262&x=%C3%BC", own: "yes" });
  });

  test("has the body that is written, a file's, or standard input's", async () => {
    const folder = app();
    folder.write("body.txt", "from a file");
    expect(await asked(["echo", "-p", "word=a", "-d", '{"a":1}'])).toMatchObject({ type: "application/json", body: '{"a":1}' });
    const fromFile = ["echo", "-p", "word=a", "-d", `@${folder.path("body.txt")}`];
    expect(await asked(fromFile)).toMatchObject({ type: expect.stringContaining("text/plain") as string, body: "from a file" });
    expect(await asked(["echo", "-p", "word=a", "-d", "-"], { stdin: '{"b":2}' })).toMatchObject({ body: '{"b":2}' });
    const typed = ["echo", "-p", "word=a", "-d", "x", "-H", "Content-Type: text/x"];
    expect(await asked(typed)).toMatchObject({ type: "text/x", body: "x" });
  });
});

describe("an answer", () => {
  test("of an error is printed as it is, its status on stderr, exit 1", async () => {
    expect(await ask(["refuse"])).toEqual({ code: 1, stdout: "no such luck", stderr: "HTTP 404 Not Found\n" });
  });

  test("has its head before it with -i", async () => {
    const { stdout, stderr } = await ask(["refuse", "-i"]);
    expect(stdout).toMatch(/^HTTP 404 Not Found\n([a-z-]+: .*\n)*x-a: 1\n([a-z-]+: .*\n)*\nno such luck$/);
    expect(stderr).toBe("");
  });

  test("is one JSON object with -o json, whatever its body is", async () => {
    expect(await asked(["echo", "-p", "word=a", "-o", "json"])).toMatchObject({
      status: 200,
      body: { method: "POST", path: "/v1/echo/a" },
    });
    expect(await asked(["silent", "-o", "json"])).toMatchObject({ status: 200, bodyBase64: "/wA=" });
    const refused = await ask(["refuse", "-o", "json"]);
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([1, { status: 404, body: "no such luck" }]);
  });

  test("of binary bytes is these bytes", async () => {
    const child = Bun.spawn(["sh", "bin/urocket", "invoke", "silent", app().folder, "--url", echo.url.href], {
      cwd: `${import.meta.dir}/../..`,
      stdout: "pipe",
    });
    expect(new Uint8Array(await new Response(child.stdout).arrayBuffer())).toEqual(new Uint8Array([255, 0]));
  });
});

describe("is refused with what to do, exit 2,", () => {
  test.each([
    [["ecko"], 'Cannot find the operation "ecko" in echoes\n  Did you mean "echo"?'],
    [["echo"], "Cannot invoke POST /v1/echo/{word}: it has no value for word\n  Add --param word=VALUE"],
    [["echo", "-p", "word"], 'Cannot use --param "word": it is not of the form name=value'],
    [["echo", "-H", "a b: c"], 'Cannot use --header "a b: c": it is not of the form name: value'],
    [["echo", "-d", "@/nonexistent/x"], "Cannot send /nonexistent/x: there is no such file"],
    [["GET", "/echo/a"], "there is no such folder\n  Write verb and path as one word: 'GET /echo/a'"],
    [["echo", "/nonexistent"], "Cannot invoke an operation of /nonexistent: there is no such folder"],
  ])("%p", async (args, words) => {
    const { code, stdout, stderr } = await ask(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(words);
  });

  test("an address that is none", async () => {
    const { code, stderr } = await urocket(["invoke", "refuse", app().folder, "--url", "localhost:1"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('Cannot use --url "localhost:1": it is not the address of a host\n  Write one such as'),
    ]);
  });

  test("a service file with errors, which are shown", async () => {
    const broken = app();
    broken.write("urocket-service.yaml", "timeot: 3\n");
    const { code, stderr } = await urocket(["invoke", "refuse", broken.folder]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("urocket-service.yaml:1:1: error: ")]);
  });
});

test("a host that is not there is told, exit 1", async () => {
  const { code, stderr } = await urocket(["invoke", "refuse", app().folder, "--url", "http://127.0.0.1:1"]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^error: Cannot get an answer from http:\/\/127\.0\.0\.1:1\/: .+\n {2}See whether/),
  ]);
});
