import { afterEach, expect, test } from "bun:test";
import { type AppFolder, appOf } from "../../tests/app-folder.ts";
import { eventually } from "../../tests/eventually.ts";
import { binary, ownEnvironment, urocket } from "../../tests/urocket-command.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const contract = `
openapi: 3.1.0
info: { title: Greetings, version: "1" }
paths:
  /hello/{name}:
    get:
      operationId: hello
      parameters: [{ name: name, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: ok, content: { text/plain: {} } } }
  /boom: { get: { operationId: boom, responses: { "200": { description: ok, content: { text/plain: {} } } } } }
`;

const functions = `interface Context { readonly log: { info(message: string, fields?: object): void } }

export function hello({ params }: { params: { name: string } }, ctx: Context): string {
  ctx.log.info("greeting", { name: params.name });
  return "Hello, " + params.name;
}

export function boom(): string {
  throw new TypeError("boom");
}

export const echo = (line: string): string => line.toUpperCase();
`;

function greetings(service = "functions: functions.ts\n"): AppFolder {
  const app = appOf({ "urocket-service.yaml": `openapi: openapi.yaml\n${service}`, "openapi.yaml": contract, "functions.ts": functions });
  cleanups.push(() => app[Symbol.dispose]());
  return app;
}

interface Dev {
  readonly url: string;
  /** What it has printed so far, on stdout (the log) and on stderr. */
  readonly out: () => string;
  readonly err: () => string;
}

/** `urocket dev` of a folder, once it serves; ended after the test. */
async function dev(folder: string, ...flags: string[]): Promise<Dev> {
  const child = Bun.spawn([binary, "dev", folder, "-p", "0", ...flags], {
    env: ownEnvironment(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  cleanups.push(async () => {
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });
  const told = { out: "", err: "" };
  const read = async (stream: ReadableStream<Uint8Array>, into: "out" | "err"): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) told[into] += decoder.decode(chunk, { stream: true });
  };
  void read(child.stdout, "out");
  void read(child.stderr, "err");
  const url = await eventually(
    () => `dev serves; it said: ${told.err}`,
    () => /^Serving at (\S+)/m.exec(told.err)?.[1],
  );
  return { url, out: () => told.out, err: () => told.err };
}

const body = async (url: string): Promise<string> => await (await fetch(url)).text();

test("tells what it serves and by what, and shows the contract", async () => {
  const { url, err } = await dev(greetings().folder);
  expect(err()).toContain("  GET    /hello/{name}  function   hello\n  GET    /boom          function   boom\n");
  expect(err()).toContain(`Contracts at ${url}/_docs\n`);
  expect(await body(`${url}/_docs`)).toContain("<title>Greetings - app</title>");
  expect(JSON.parse(await body(`${url}/_docs/app/openapi.json`))).toMatchObject({ info: { title: "Greetings" }, servers: [{ url: "/" }] });
});

test("a request is shown with what its function logged below it, a failure with the line of source", async () => {
  const { url, out } = await dev(greetings().folder);
  expect(await body(`${url}/hello/Ada`)).toBe("Hello, Ada");
  expect((await fetch(`${url}/boom`)).status).toBe(500);
  await eventually("both are in the log", () => out().includes("throw new TypeError"));
  expect(out()).toMatch(
    / GET {4}\/hello\/Ada +200 +[\d.]+ ms hello \(function [\d.]+\) [0-9a-f]{8}\n {15}info {3}greeting \(name: Ada\)\n/,
  );
  expect(out()).toMatch(
    / {15}error {2}TypeError: .*\n +at boom \(.*\/functions\.ts:9:\d+\)\n +9 \| {3}throw new TypeError\("boom"\);\n +\| +\^\n/,
  );
  expect(out()).not.toContain("src/link");
});

test("a change of a function is served, and how long that took is told; one with errors is told, and changes nothing", async () => {
  const app = greetings();
  const { url, err } = await dev(app.folder, "--no-docs");
  app.write("functions.ts", functions.replace("Hello", "Hi"));
  await eventually("the change is told", () => /^app: reloaded in \d+ ms$/m.test(err()));
  expect(await body(`${url}/hello/Ada`)).toBe("Hi, Ada");
  app.write("functions.ts", functions.replace("Hello", '" + ('));
  await eventually("the errors are told", () => err().includes("app: the new version has errors; the one before it is still served"));
  expect(err()).toMatch(/functions\.ts:\d+:\d+: error: /);
  expect(await body(`${url}/hello/Ada`)).toBe("Hi, Ada");
  expect((await fetch(`${url}/_docs`)).status).toBe(404);
});

test("types that are wrong are warnings: the change is served; when they are mended that is told", async () => {
  const app = greetings();
  const { url, err } = await dev(app.folder);
  app.write("functions.ts", functions.replace('return "Hello, " + params.name', "return params.name.length"));
  await eventually("the types are told", () => err().includes("warning: app: 1 type error; it is served all the same"));
  await eventually("the change is served", () => err().includes("app: reloaded in"));
  expect(err()).toMatch(/functions\.ts:5:\d+: warning: Type 'number' is not assignable to type 'string'/);
  expect(await body(`${url}/hello/Ada`)).toBe("3");
  app.write("functions.ts", functions);
  await eventually("their end is told", () => err().includes("app: types are right again"));
  expect(err().match(/types are right again/g)).toHaveLength(1);
});

test("invoke asks the host that serves the folder, listeners too", async () => {
  const app = greetings("functions: functions.ts\nlisteners: [{ unix: lines.sock, framing: lines, function: functions.ts#echo }]\n");
  const { out } = await dev(app.folder);
  expect(await urocket(["invoke", "hello", app.folder, "-p", "name=Ada"])).toEqual({ code: 0, stdout: "Hello, Ada", stderr: "" });
  await eventually("the host has answered it", () => out().includes("/hello/Ada"));
  const listener = `unix:${app.path("lines.sock")}`;
  expect(await urocket(["invoke", listener, app.folder, "-d", "one\ntwo"])).toEqual({ code: 0, stdout: "ONE\nTWO\n", stderr: "" });
});

test("invoke starts an app that nobody serves, shows what it logs and what failed, and leaves nothing", async () => {
  const app = greetings();
  const greeted = await urocket(["invoke", "GET /hello/Ada", app.folder]);
  expect(greeted).toEqual({
    code: 0,
    stdout: "Hello, Ada",
    stderr: expect.stringMatching(/GET \/hello\/\{name\} info \| greeting \(name: Ada\)\n$/) as string,
  });
  const failed = await urocket(["invoke", "boom", app.folder, "-o", "json"]);
  expect(JSON.parse(failed.stdout)).toMatchObject({
    status: 500,
    headers: { "x-urocket-error": "function-failed" },
    body: { kind: "function-failed" },
  });
  expect(failed.stderr).toMatch(/error \| TypeError: [^]*9 \| {3}throw new TypeError[^]* 500 +[\d.]+ ms boom/);
  expect(failed.code).toBe(1);
});

/** A daemon of two files, whose words are in the second. */
function daemon(): AppFolder {
  const app = appOf({
    "urocket-service.yaml": "service: { cmd: bun server.ts }\n",
    "server.ts":
      'import { words } from "./words.ts";\nBun.serve({ port: Number(process.env.PORT), hostname: process.env.HOST, fetch: (it) => new Response(words + " at " + new URL(it.url).pathname) });\n',
    "words.ts": 'export const words = "hello";\n',
  });
  cleanups.push(() => app[Symbol.dispose]());
  return app;
}

test("a change of what a service is made of starts it anew", async () => {
  const app = daemon();
  const { url, err } = await dev(app.folder);
  expect(err()).toContain("app: every path from ");
  expect(await body(`${url}/a`)).toBe("hello at /a");
  app.write("words.ts", 'export const words = "good day";\n');
  await eventually("the change is told", () => /^app: reloaded in \d+ ms$/m.test(err()));
  expect(await body(`${url}/a`)).toBe("good day at /a");
});

test("invoke asks a service for any path, also one that is started for it", async () => {
  const { folder } = daemon();
  expect(await urocket(["invoke", "/some/path?x=1", folder])).toMatchObject({ code: 0, stdout: "hello at /some/path" });
  await dev(folder);
  expect(await urocket(["invoke", "GET /other", folder])).toEqual({ code: 0, stdout: "hello at /other", stderr: "" });
});
