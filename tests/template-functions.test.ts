/** The template of functions as its users have it: in a folder of its own, with what `npm install` puts there. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf } from "./app-folder.ts";
import { ownEnvironment, root, urocket } from "./urocket-command.ts";

let app: AppFolder;
beforeAll(() => {
  app = appOf({});
  cpSync(join(root, "templates/functions"), app.folder, { recursive: true });
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

test("its types are up to date", async () => {
  expect(await urocket(["types", "--check"], { cwd: app.folder })).toMatchObject({ code: 0, stderr: "" });
});

test("it type-checks", () => {
  expect(run([join(root, "node_modules/.bin/tsc"), "-p", "."])).toEqual({ code: 0, output: "" });
});

test("it type-checks without its tests too", () => {
  using bare = appOf({});
  cpSync(app.folder, bare.folder, { recursive: true });
  rmSync(bare.path("src/functions.test.ts"));
  expect(run([join(root, "node_modules/.bin/tsc"), "-p", bare.folder])).toEqual({ code: 0, output: "" });
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
  expect(devDependencies["urocket"]).toBe(`^${own.version}`);
  expect(devDependencies["@types/bun"]).toStartWith(`^${minor}.`);
});

test("nothing of it is doubtful to urocket check, nothing being installed", async () => {
  using fresh = appOf({});
  cpSync(join(root, "templates/functions"), fresh.folder, { recursive: true });
  const { code, stdout } = await urocket(["check"], { cwd: fresh.folder });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("3 operations, 0 errors, 0 warnings") });
  fresh.write("src/functions.ts", fresh.read("src/functions.ts").replace("params.name ===", "params.nme ==="));
  const broken = await urocket(["check"], { cwd: fresh.folder });
  expect({ code: broken.code, stdout: broken.stdout }).toEqual({
    code: 1,
    stdout: expect.stringMatching(/^src\/functions\.ts:6:14: error: Property 'nme' does not exist/),
  });
});
