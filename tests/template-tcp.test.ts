/** The template of a line service as its users have it: in a folder of its own, with what `npm install` puts there. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf } from "./app-folder.ts";
import { lineAddresses, lineClient } from "./line-client.ts";
import { serve } from "./serving.ts";
import { ownEnvironment, root, urocket } from "./urocket-command.ts";

let app: AppFolder;
beforeAll(() => {
  app = appOf({});
  cpSync(join(root, "templates/tcp"), app.folder, { recursive: true });
  mkdirSync(app.path("node_modules/@types"), { recursive: true });
  symlinkSync(root, app.path("node_modules/urocket"));
  // @types/bun is no more than a name for bun-types.
  symlinkSync(join(root, "node_modules/bun-types"), app.path("node_modules/@types/bun"));
  symlinkSync(join(root, "node_modules/@types/node"), app.path("node_modules/@types/node"));
});
afterAll(() => app[Symbol.dispose]());

const run = (argv: readonly string[]): { readonly code: number | null; readonly output: string } => {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], { cwd: app.folder, env: ownEnvironment({}), stdin: "ignore" });
  return { code: exitCode, output: `${stdout.toString()}${stderr.toString()}` };
};

test("it type-checks", () => {
  expect(run([join(root, "node_modules/.bin/tsc"), "-p", "."])).toEqual({ code: 0, output: "" });
});

test("its tests pass, as npm test runs them", () => {
  const { scripts } = JSON.parse(app.read("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
  const { code, output } = run(["sh", "-c", scripts["test"] ?? "false"]);
  expect(output).toContain(" 4 pass");
  expect(code).toBe(0);
});

test("it asks for this version of urocket, and for the types of its Bun", () => {
  interface Manifest {
    readonly version: string;
    readonly devDependencies: Readonly<Record<string, string>>;
  }
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const { devDependencies } = JSON.parse(app.read("package.json")) as Manifest;
  const minor = /^\d+\.\d+/.exec(own.devDependencies["bun-types"] ?? "")?.[0] ?? "";
  expect(devDependencies).toEqual({ urocket: `^${own.version}`, "@types/bun": expect.stringContaining(`^${minor}.`) });
});

test("it serves what its README says", async () => {
  app.write("urocket-service.yaml", app.read("urocket-service.yaml").replace("tcp: 4000", "tcp: 0"));
  await using host = await serve(app.folder);
  await using client = await lineClient(lineAddresses(host)[0]);
  client.end("help\nsum 1 2 3.5\nreverse urocket\nwhat\n");
  expect(await client.all()).toBe(
    'Ok: help, time, sum NUMBERS, reverse TEXT\nOk: 6.5\nOk: tekcoru\nErr: "what" is not a command; try help\n',
  );
});

test("nothing of it is doubtful to urocket check, nothing being installed", async () => {
  using fresh = appOf({});
  cpSync(join(root, "templates/tcp"), fresh.folder, { recursive: true });
  const { code, stdout } = await urocket(["check"], { cwd: fresh.folder });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("1 listener, 0 errors, 0 warnings") });
});
