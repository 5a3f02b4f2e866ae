import { afterEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
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
  const { out, err } = startDev(folder, ...flags);
  return { url: await served(err), out, err };
}

async function served(err: () => string): Promise<string> {
  return await eventually(
    () => `dev serves; it said: ${err()}`,
    () => /^Serving at (\S+)/m.exec(err())?.[1],
  );
}

/** As `dev`, and does not wait for it. */
function startDev(folder: string, ...flags: string[]): Pick<Dev, "out" | "err"> & { readonly process: Bun.Subprocess } {
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
  return { process: child, out: () => told.out, err: () => told.err };
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

describe("an app that is broken from the start", () => {
  /** It has said this, and then that it waits. */
  async function waiting(err: () => string, told: RegExp): Promise<void> {
    await eventually(
      () => `it waits; it said: ${err()}`,
      () => /^Waiting until that is mended$/m.test(err().slice(told.exec(err())?.index ?? Infinity)),
    );
  }
  const neverClosed = /urocket-service.yaml:3:9: error: .*\n(?:.*\n)*error: Cannot serve: 1 error in the configuration\n/;

  test("is told of, and served as soon as it is mended, step by step", async () => {
    const app = greetings("functions: functions.ts\nlimits: [\n");
    rmSync(app.path("functions.ts"));
    const { err } = startDev(app.folder);
    await waiting(err, neverClosed);
    app.write("urocket-service.yaml", "openapi: openapi.yaml\nfunctions: functions.ts\n");
    await waiting(err, /Cannot find the file of functions/);
    app.write("functions.ts", `${functions}\nthrow new Error("not yet");\n`);
    await waiting(err, /not yet/);
    app.write("functions.ts", functions);
    const url = await served(err);
    expect(await body(`${url}/hello/Ada`)).toBe("Hello, Ada");
    // From here on it is as ever.
    app.write("functions.ts", functions.replace("Hello, ", "Goodbye, "));
    await eventually("the change is served", async () => (await body(`${url}/hello/Ada`)) === "Goodbye, Ada");
  });

  test("is a service's, too, whose script is not there yet", async () => {
    const app = appOf({ "urocket-service.yaml": "service: { cmd: bun server.ts }\n" });
    cleanups.push(() => app[Symbol.dispose]());
    const { err } = startDev(app.folder);
    await waiting(err, /cannot bring up its service/);
    app.write("server.ts", "Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response('here') });\n");
    expect(await body(await served(err))).toBe("here");
  });

  test("is started again when it is mended while its daemon does not come up", async () => {
    const app = appOf({
      "urocket-service.yaml": "service: { cmd: bun server.ts, start: 1h }\n",
      "server.ts": 'console.log("stuck"); setInterval(() => {}, 1000);\n',
    });
    cleanups.push(() => app[Symbol.dispose]());
    const { err, out } = startDev(app.folder);
    await eventually("the daemon has begun", () => out().includes("stuck"));
    app.write("server.ts", 'Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response("well") });\n');
    expect(await body(await served(err))).toBe("well");
    expect(err()).toStartWith("Changed meanwhile: starting again\n");
  });

  test("is left when that is asked for", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const app = greetings("functions: functions.ts\nlimits: [\n");
      const { process: child, err } = startDev(app.folder);
      await waiting(err, neverClosed);
      child.kill(signal);
      expect(await child.exited).toBe(0);
    }
  });

  test("starts again at HUP, for what is mended elsewhere", async () => {
    const { process: child, err } = startDev(greetings("functions: functions.ts\nlimits: [\n").folder);
    await waiting(err, neverClosed);
    child.kill("SIGHUP");
    await waiting(err, /(?<=Waiting until that is mended\n)\S+: error: .*is never closed/);
  });

  test("is none where there is no service file, or the machine is at fault: that is told, and all", async () => {
    const empty = appOf({ "functions.ts": functions });
    cleanups.push(() => empty[Symbol.dispose]());
    const nothing = Bun.spawn([binary, "dev", empty.folder, "-p", "0"], { env: ownEnvironment(), stdin: "ignore", stderr: "pipe" });
    expect([await nothing.exited, await nothing.stderr.text()]).toEqual([2, expect.stringContaining("There is no service file")]);
    const { url } = await dev(greetings().folder);
    const taken = Bun.spawn([binary, "dev", greetings().folder, "-p", new URL(url).port], {
      env: ownEnvironment(),
      stdin: "ignore",
      stderr: "pipe",
    });
    expect([await taken.exited, await taken.stderr.text()]).toEqual([1, expect.stringContaining("it is in use")]);
  });
});
