/** The templates as their users have them: each in a folder of its own, with what `npm install` puts there, or with nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf } from "./app-folder.ts";
import { lineAddresses, lineClient } from "./line-client.ts";
import { serve } from "./serving.ts";
import { ownEnvironment, root, urocket } from "./urocket-command.ts";

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** With nothing installed. */
function fresh(template: string): AppFolder {
  const app = appOf({});
  cpSync(join(root, "templates", template), app.folder, { recursive: true });
  return app;
}

function installed(template: string): AppFolder {
  const app = fresh(template);
  mkdirSync(app.path("node_modules/@types"), { recursive: true });
  symlinkSync(root, app.path("node_modules/urocket"));
  // @types/bun is no more than a name for bun-types.
  symlinkSync(join(root, "node_modules/bun-types"), app.path("node_modules/@types/bun"));
  symlinkSync(join(root, "node_modules/@types/node"), app.path("node_modules/@types/node"));
  return app;
}

function run(folder: string, argv: readonly string[]): { readonly code: number | null; readonly output: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], { cwd: folder, env: ownEnvironment({}), stdin: "ignore" });
  return { code: exitCode, output: `${stdout.toString()}${stderr.toString()}` };
}

const typeCheck = [join(root, "node_modules/.bin/tsc"), "-p", "."];

describe.each([
  ["functions", "3 operations, 0 errors, 0 warnings"],
  ["service", ", 0 errors, 0 warnings"],
  ["tcp", "1 listener, 0 errors, 0 warnings"],
])("the template %s", (template, words) => {
  let app: AppFolder;
  beforeAll(() => {
    app = installed(template);
  });
  afterAll(() => app[Symbol.dispose]());

  test("type-checks", () => {
    expect(run(app.folder, typeCheck)).toEqual({ code: 0, output: "" });
  });

  test("has tests that pass, as npm test runs them", () => {
    const { scripts } = JSON.parse(app.read("package.json")) as Manifest;
    const { code, output } = run(app.folder, ["sh", "-c", scripts["test"] ?? "false"]);
    expect(output).toContain(" 4 pass");
    expect(code).toBe(0);
  });

  test("asks for this version of urocket, and for the types of its Bun", () => {
    const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
    const { devDependencies } = JSON.parse(app.read("package.json")) as Manifest;
    const minor = /^\d+\.\d+/.exec(own.devDependencies["bun-types"] ?? "")?.[0] ?? "";
    expect(devDependencies).toMatchObject({ urocket: `^${own.version}`, "@types/bun": expect.stringContaining(`^${minor}.`) });
  });

  test("has nothing doubtful to urocket check, nothing being installed", async () => {
    using bare = fresh(template);
    const { code, stdout } = await urocket(["check"], { cwd: bare.folder });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(words) as string });
  });
});

describe("the template functions", () => {
  test("has types that are up to date", async () => {
    using app = installed("functions");
    expect(await urocket(["types", "--check"], { cwd: app.folder })).toMatchObject({ code: 0, stderr: "" });
  });

  test("type-checks without its tests too", () => {
    using app = installed("functions");
    rmSync(app.path("src/functions.test.ts"));
    expect(run(app.folder, typeCheck)).toEqual({ code: 0, output: "" });
  });

  test("is told of a slip of the pen by urocket check", async () => {
    using app = fresh("functions");
    app.write("src/functions.ts", app.read("src/functions.ts").replace("params.name ===", "params.nme ==="));
    const { code, stdout } = await urocket(["check"], { cwd: app.folder });
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringMatching(/^src\/functions\.ts:6:14: error: Property 'nme' does not exist/) as string,
    });
  });
});

test("the template service serves, and streams, with nothing installed", async () => {
  using app = fresh("service");
  await using host = await serve(app.folder);
  const response = await fetch(`${host.url}/`, { headers: { "x-request-id": "the-request" } });
  expect(await response.json()).toEqual({
    greeting: "Hello",
    instance: response.headers.get("x-urocket-instance"),
    request: "the-request",
  });
  const clock = (await fetch(`${host.url}/clock`)).body?.getReader();
  expect(new TextDecoder().decode((await clock?.read())?.value)).toStartWith("id: 0\ndata: ");
  await clock?.cancel();
});

test("the template tcp serves what its README says", async () => {
  using app = fresh("tcp");
  app.write("urocket-service.yaml", app.read("urocket-service.yaml").replace("tcp: 4000", "tcp: 0"));
  await using host = await serve(app.folder);
  await using client = await lineClient(lineAddresses(host)[0]);
  client.end("help\nsum 1 2 3.5\nreverse urocket\nwhat\n");
  expect(await client.all()).toBe(
    'Ok: help, time, sum NUMBERS, reverse TEXT\nOk: 6.5\nOk: tekcoru\nErr: "what" is not a command; try help\n',
  );
});
