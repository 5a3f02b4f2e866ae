import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf } from "../../tests/app-folder.ts";
import { urocket } from "../../tests/urocket-command.ts";

const apps: AppFolder[] = [];
afterEach(() => {
  for (const app of apps.splice(0)) app[Symbol.dispose]();
});

const contract = `openapi: 3.1.0
info: { title: t, version: "1" }
paths:
  /a: { get: { operationId: getA, responses: { "200": { description: ok, content: { application/json: { schema: { type: integer } } } } } } }
`;

function app(files: Readonly<Record<string, string>>): AppFolder {
  const made = appOf({ "openapi.yaml": contract, ...files });
  apps.push(made);
  return made;
}

const withFunctions = (): AppFolder =>
  app({
    "urocket-service.yaml": "openapi: openapi.yaml\nfunctions: src/functions.ts\n",
    "src/functions.ts": "export const getA = () => 1;\n",
  });

test("writes them beside the functions, and says where", async () => {
  const { folder, ...files } = withFunctions();
  expect(await urocket(["types"], { cwd: folder })).toMatchObject({ code: 0, stdout: "Wrote src/openapi.ts\n", stderr: "" });
  const text = readFileSync(files.path("src/openapi.ts"), "utf8");
  expect(text).toStartWith("// Written by `urocket types` from ../openapi.yaml.");
  expect(text).toContain('200: {\n        content: {\n          "application/json": number;');
  expect(readdirSync(files.path("src"))).toHaveLength(2);
});

test("leaves a file alone that is up to date", async () => {
  const { folder, ...files } = withFunctions();
  await urocket(["types", folder]);
  const { mtimeNs } = statSync(files.path("src/openapi.ts"), { bigint: true });
  expect((await urocket(["types", folder])).stdout).toEndWith("is up to date\n");
  expect(statSync(files.path("src/openapi.ts"), { bigint: true }).mtimeNs).toBe(mtimeNs);
});

describe("--check", () => {
  test("fails when they are not there, or not what the contract says, and writes nothing", async () => {
    const { folder, ...files } = withFunctions();
    expect(await urocket(["types", "--check"], { cwd: folder })).toMatchObject({
      code: 1,
      stderr: "error: src/openapi.ts is not there\n  Run the same command without --check.\n",
    });
    expect(existsSync(files.path("src/openapi.ts"))).toBe(false);
    await urocket(["types"], { cwd: folder });
    expect(await urocket(["types", "--check"], { cwd: folder })).toMatchObject({ code: 0, stdout: "src/openapi.ts is up to date\n" });
    writeFileSync(files.path("openapi.yaml"), contract.replace("integer", "string"));
    const { code, stderr } = await urocket(["types", "--check"], { cwd: folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining("src/openapi.ts is not what openapi.yaml says")]);
    expect(readFileSync(files.path("src/openapi.ts"), "utf8")).toContain("number");
  });
});

test("takes a document by itself, and another place to write to", async () => {
  const { folder, ...files } = app({});
  expect((await urocket(["types", "openapi.yaml"], { cwd: folder })).stdout).toBe("Wrote openapi.ts\n");
  expect((await urocket(["types", "openapi.yaml", "--out", "made/types.ts"], { cwd: folder })).stdout).toBe("Wrote made/types.ts\n");
  expect(readFileSync(files.path("made/types.ts"), "utf8")).toStartWith("// Written by `urocket types` from ../openapi.yaml.");
});

test("helps before the functions are written, where it is told the place", async () => {
  const { folder } = app({ "urocket-service.yaml": "openapi: openapi.yaml\nfunctions: src/functions.ts\n" });
  const refused = await urocket(["types"], { cwd: folder });
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toContain("say where: urocket types . --out src/openapi.ts");
  expect(await urocket(["types", "--out", "src/openapi.ts"], { cwd: folder })).toMatchObject({ code: 0, stdout: "Wrote src/openapi.ts\n" });
});

test("does not overwrite what it did not write", async () => {
  const { folder, ...files } = withFunctions();
  writeFileSync(files.path("src/openapi.ts"), "export const mine = 1;\n");
  const { code, stderr } = await urocket(["types"], { cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toContain(
    "Cannot write src/openapi.ts: it was not written by urocket types, and would be lost\n  Name another file with --out",
  );
  expect(readFileSync(files.path("src/openapi.ts"), "utf8")).toBe("export const mine = 1;\n");
});

describe("refuses with what to do", () => {
  test("a path that leads nowhere", async () => {
    const { folder } = app({});
    const { code, stderr } = await urocket(["types", join(folder, "none")]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("there is no such folder or file\n  Name the folder of an app, or an OpenAPI document."),
    ]);
  });
  test("an app without a contract", async () => {
    const { folder } = app({ "urocket-service.yaml": "name: bare\npaths: { /a: { get: { inject: { cmd: cat } } } }\n" });
    const { code, stderr } = await urocket(["types", folder]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("bare has no contract\n  Name one in the service file")]);
  });
  test("a contract with errors, by their place", async () => {
    const { folder } = app({ "openapi.yaml": "openapi: 3.1.0\ninfo: [\n" });
    const { code, stderr } = await urocket(["types", "openapi.yaml"], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^openapi\.yaml:\d+:\d+: error: /)]);
  });
});
