/** The template of a daemon as its users have it: in a folder of its own, with what `npm install` puts there. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf } from "./app-folder.ts";
import { serve } from "./serving.ts";
import { ownEnvironment, root } from "./urocket-command.ts";

let app: AppFolder;
beforeAll(() => {
  app = appOf({});
  cpSync(join(root, "templates/service"), app.folder, { recursive: true });
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
  const ours = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const { devDependencies } = JSON.parse(app.read("package.json")) as Manifest;
  expect(devDependencies["urocket"]).toBe(`^${ours.version}`);
  expect(ours.devDependencies["bun-types"]?.split(".").slice(0, 2)).toEqual(devDependencies["@types/bun"]?.slice(1).split(".").slice(0, 2));
});

test("it serves, and streams, with nothing installed", async () => {
  using fresh = appOf({});
  cpSync(join(root, "templates/service"), fresh.folder, { recursive: true });
  await using host = await serve(fresh.folder);
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
