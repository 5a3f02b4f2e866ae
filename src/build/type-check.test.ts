import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf, root } from "../../tests/app-folder.ts";
import { buildFunctions } from "./build-functions.ts";

const open: AppFolder[] = [];
afterEach(() => {
  for (const app of open.splice(0)) app[Symbol.dispose]();
});

function appWith(files: Readonly<Record<string, string>>): AppFolder {
  const app = appOf(files);
  open.push(app);
  return app;
}

/** What is told of an app's `f.ts`, in short. */
async function told(app: AppFolder, file = "f.ts"): Promise<readonly string[]> {
  const outcome = await buildFunctions({
    folder: app.folder,
    files: [app.path(file)],
    into: join(app.folder, "../builds"),
    typeCheck: true,
  });
  return (outcome.ok ? outcome.warnings : outcome.problems).map(({ severity, place, message, hint }) =>
    `${severity} ${place ? `${place.file}:${place.line}:${place.column} ` : ""}${message}${hint === undefined ? "" : ` | ${hint}`}`.replaceAll(
      `${app.folder}/`,
      "",
    ),
  );
}

const of = async (text: string, more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> =>
  await told(appWith({ "f.ts": text, ...more }));

describe("the types of functions", () => {
  test("are errors with their places, in imported files too", async () => {
    const text = 'import { g } from "./g.ts";\nexport const f = (name?: string): number => name.length + g;\n';
    expect(await of(text, { "g.ts": 'const a: { b: { c: number } } = { b: { c: "x" } };\nexport const g = a.b.c;\n' })).toEqual([
      "error f.ts:2:45 'name' is possibly 'undefined' (TS18048)",
      expect.stringMatching(/^error g\.ts:1:40 Type 'string' is not assignable to type 'number' \(TS2322\)/),
    ]);
  });

  test("are told beside what the bundler says, each line once", async () => {
    expect(await of('import { g } from "./nowhere.ts";\nexport const f: number = "text";\nexport { g };\n')).toEqual([
      expect.stringMatching(/^error f\.ts:1:19 Cannot find the file "\.\/nowhere\.ts"/),
      "error f.ts:2:14 Type 'string' is not assignable to type 'number' (TS2322)",
    ]);
  });

  test("need no types of the platform, of packages, or of files that have none", async () => {
    const text = `import fs from "node:fs";
import { Database } from "bun:sqlite";
import untyped, { Untyped } from "untyped";
import note from "./note.txt";
export const f = (a: Untyped, { b }) => {
  untyped((x) => x);
  setTimeout(() => console.log(process.env, Buffer.from(""), Bun.version, __dirname, import.meta.dir), 1);
  return [fs.existsSync("/"), Database, fetch, new Request("http://x/"), crypto.randomUUID(), require("node:os"), note, a, b];
};
try { f(1, { b: 2 }); } catch (error) { error.message; }
`;
    expect(await of(text, { "note.txt": "", "node_modules/untyped/index.js": "module.exports = () => {};\n" })).toEqual([]);
  });

  test("need no types of what the platform has beyond its usual library, nor those that a tsconfig.json names", async () => {
    const text = `export const f = async (bytes: ReadableStream<Uint8Array>) => {
  const copy = ReadableStream.from([1]);
  return [copy, await bytes.text(), Reflect.nothing, bytes.nothing];
};
`;
    const options = '{ "compilerOptions": { "strict": true, "lib": ["ESNext", "DOM"], "types": ["bun", "bun-types", "node"] } }';
    expect(await of(text, { "tsconfig.json": options })).toEqual([
      "error f.ts:3:45 Property 'nothing' does not exist on type 'typeof Reflect' (TS2339)",
      expect.stringMatching(/^error f\.ts:3:60 Property 'nothing' does not exist on type 'ReadableStream<Uint8Array/),
    ]);
  });

  test("need none for what is imported of the platform by name", async () => {
    const text = `import { $, type Server } from "bun";
import { test } from "bun:test";
import fs, { readFileSync } from "node:fs";
export const f = async (server: Server<undefined>) => [await $\`true\`.quiet(), server.port, fs, readFileSync, test];
`;
    expect(await of(text)).toEqual([]);
    expect(await of(text, { "tsconfig.json": '{ "compilerOptions": { "strict": true, "types": ["bun"] } }' })).toEqual([]);
  });

  test("know the platform where its types are installed", async () => {
    const app = appWith({
      "f.ts": "export const f: number = Bun.version;\n",
      "node_modules/@types/bun/index.d.ts": '/// <reference types="bun-types" />\n',
    });
    app.write("node_modules/@types/bun/package.json", '{"name":"@types/bun","version":"1.0.0","types":"index.d.ts"}');
    for (const name of ["bun-types", "undici-types"]) symlinkSync(join(root, "node_modules", name), app.path(`node_modules/${name}`));
    mkdirSync(app.path("node_modules/@types"), { recursive: true });
    symlinkSync(join(root, "node_modules/@types/node"), app.path("node_modules/@types/node"));
    expect(await told(app)).toEqual(["error f.ts:1:14 Type 'string' is not assignable to type 'number' (TS2322)"]);
  });

  test("know urocket, which the app need not have installed", async () => {
    const text =
      'import { HttpError, type Context } from "urocket";\nexport const f = (_: unknown, ctx: Context) => new HttpError(ctx.requestId);\n';
    expect(await of(text)).toEqual([
      expect.stringMatching(/^error f\.ts:2:\d+ Argument of type 'string' is not assignable to parameter of type 'number'/),
    ]);
  });

  test("follow the app's own tsconfig.json, its paths too, but not where it says how to build", async () => {
    const files = {
      "tsconfig.json": `{ // comments and all
  "extends": "./base.json", "compilerOptions": { "paths": { "~/*": ["./src/*"] }, "module": "commonjs", "outDir": "out", "rootDir": "src", "declaration": true, "composite": true } }`,
      "base.json":
        '{ "compilerOptions": { "strict": true, "noUnusedLocals": true, "target": "es2022", "lib": ["es2022", "dom"] }, "include": ["nothing"] }',
      "src/g.ts": "export const g = 1;\n",
      "f.ts":
        'import { g } from "~/g.ts";\nimport { HttpError } from "urocket";\nconst unused = HttpError;\nexport const f = (a) => g + a;\n',
    };
    expect(await told(appWith(files))).toEqual([
      "warning f.ts:3:7 'unused' is declared but its value is never read (TS6133)",
      "error f.ts:4:19 Parameter 'a' implicitly has an 'any' type (TS7006)",
    ]);
  });

  test("of JavaScript are not checked", async () => {
    expect(await told(appWith({ "f.js": "export const f = () => undefinedName + 1n * 1;\n" }), "f.js")).toEqual([]);
  });

  test("are looked at again when a file of nothing but types changes", async () => {
    const app = appWith({
      "f.ts": 'import type { T } from "./types.ts";\nexport const f = (): T => 1;\n',
      "types.ts": "export type T = number;\n",
    });
    expect(await told(app)).toEqual([]);
    app.write("types.ts", "export type T = string;\n");
    expect(await told(app)).toEqual(["error f.ts:2:27 Type 'number' is not assignable to type 'string' (TS2322)"]);
    app.write("types.ts", "export type T = number;\n");
    expect(await told(app)).toEqual([]);
  });
});
