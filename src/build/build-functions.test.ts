import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AppFolder, appOf, root } from "../../tests/app-folder.ts";
import type { Build, BuildOutcome } from "./build.ts";
import { buildFunctions } from "./build-functions.ts";
import { removeUnusedBuilds } from "./build-store.ts";

const open: AppFolder[] = [];
afterEach(() => {
  for (const app of open.splice(0)) app[Symbol.dispose]();
});

/** An app of these files, with the packages of this repository as its own. */
function appWith(files: Readonly<Record<string, string>>): AppFolder {
  const app = appOf(files);
  open.push(app);
  symlinkSync(join(root, "node_modules"), app.path("node_modules"));
  return app;
}

const buildsOf = (app: AppFolder): string => join(app.folder, "../builds");

async function outcomeOf(
  app: AppFolder,
  names: readonly string[],
  options: { readonly typeCheck?: boolean; readonly signal?: AbortSignal } = {},
) {
  const files = names.map((name) => app.path(name));
  return await buildFunctions({ folder: app.folder, files, into: buildsOf(app), typeCheck: false, ...options });
}

async function buildOf(app: AppFolder, names: readonly string[], options: { readonly typeCheck?: boolean } = {}): Promise<Build> {
  const outcome = await outcomeOf(app, names, options);
  if (!outcome.ok) throw new Error(outcome.problems.map(({ message }) => message).join("\n"));
  return outcome.build;
}

type Module = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

/** The modules of a bundle, imported in a process of its own, each export called. */
async function callAll({ bundle }: Build): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const script = `let list = await import(${JSON.stringify(bundle)});
    while (!Array.isArray(list)) list = list.default;
    const called = await Promise.all(list.map(async (module) => Object.fromEntries(await Promise.all(Object.entries(module).map(
      async ([name, value]) => [name, typeof value === "function" ? await value() : value])))));
    console.log(JSON.stringify(called));`;
  const child = Bun.spawn([process.execPath, "--no-install", "--no-env-file", "-e", script], { cwd: "/", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(err);
  return JSON.parse(out) as readonly Module[];
}

/** Problems in short: "error f.ts:1:2 message | hint". */
function short(outcome: BuildOutcome, { folder }: AppFolder): readonly string[] {
  return (outcome.ok ? outcome.warnings : outcome.problems).map(({ severity, place, message, hint }) =>
    `${severity} ${place ? `${place.file}:${place.line}:${place.column} ` : ""}${message}${hint === undefined ? "" : ` | ${hint}`}`
      .replaceAll(`${folder}/`, "")
      .replaceAll(folder, "."),
  );
}

describe("a build", () => {
  test("holds the modules in the order in which they were asked for, in one file with bytecode", async () => {
    const app = appWith({ "b.ts": "export const b = (): string => 'b';\n", "a.ts": "export const a = 1;\nexport default () => 2;\n" });
    const build = await buildOf(app, ["b.ts", "a.ts"]);
    expect(build).toMatchObject({
      folder: join(buildsOf(app), build.hash),
      bundle: join(build.folder, "functions.js"),
      sourceMap: join(build.folder, "functions.js.map"),
      bytecode: true,
      modules: [
        { file: app.path("b.ts"), exports: ["b"], exportsKnown: true },
        { file: app.path("a.ts"), exports: ["a", "default"], exportsKnown: true },
      ],
    });
    expect(existsSync(`${build.bundle}.jsc`)).toBe(true);
    expect(build.inputs).toEqual(expect.arrayContaining([app.path("a.ts"), app.path("b.ts"), app.path("tsconfig.json")]));
    expect(await callAll(build)).toEqual([{ b: "b" }, { a: 1, default: 2 }]);
  });

  test("has packages, CommonJS among them, data, text and other files, each as without a bundler", async () => {
    const app = appWith({
      "f.ts": `import { readFileSync } from "node:fs";
import { parse } from "yaml";
import Ajv from "ajv";
import data from "./data.json";
import text from "./note.txt";
import image from "./image.png";
import query from "./query.sql" with { type: "text" };
import { old } from "./old.cjs";
export const yaml = () => parse("a: 1");
export const ajv = () => new Ajv().validate({ type: "number" }, 1);
export const rest = () => [data, text, query, readFileSync(image, "utf8"), old()];
export const lazy = async () => (await import("./lazy.ts")).lazy;
`,
      "data.json": '{"a":1}',
      "note.txt": "hello",
      "image.png": "bytes",
      "query.sql": "select 1",
      "old.cjs": "exports.old = () => [__dirname, __filename, require('node:path').sep];\n",
      "lazy.ts": "export const lazy = 'lazy';\n",
    });
    const [module] = await callAll(await buildOf(app, ["f.ts"]));
    expect(module).toEqual({
      yaml: { a: 1 },
      ajv: true,
      rest: [{ a: 1 }, "hello", "select 1", "bytes", [app.folder, app.path("old.cjs"), "/"]],
      lazy: "lazy",
    });
  });

  test("finds at run time what is only named then, and what of a package could not be bundled", async () => {
    const app = appOf({
      "f.ts": `import { half } from "half";\nconst name = ["ms", "x"].join("");\nexport const f = () => [require(name), half()];\n`,
      "node_modules/msx/index.js": "module.exports = 'found';\n",
      "node_modules/half/index.js": "exports.half = () => 'half'; exports.rest = () => require('not-installed');\n",
    });
    open.push(app);
    expect(await callAll(await buildOf(app, ["f.ts"]))).toEqual([{ f: ["found", "half"] }]);
  });

  test("resolves `urocket` to the SDK of this urocket, whatever the app has installed", async () => {
    const app = appOf({
      "f.ts": 'import { HttpError } from "urocket";\nexport const f = () => new HttpError(404, "none").status;\n',
      "node_modules/urocket/index.js": "module.exports = {};\n",
    });
    open.push(app);
    expect(await callAll(await buildOf(app, ["f.ts"], { typeCheck: true }))).toEqual([{ f: 404 }]);
  });

  test("may await at its top, then without bytecode", async () => {
    const app = appWith({
      "f.ts": "const x = await Promise.resolve(5);\nexport const f = () => [x, import.meta.dir, import.meta.file];\n",
    });
    const build = await buildOf(app, ["f.ts"]);
    expect(build.bytecode).toBe(false);
    expect(await callAll(build)).toEqual([{ f: [5, app.folder, "f.ts"] }]);
  });

  test("has `import.meta` as each source has it", async () => {
    const app = appWith({
      "src/f.ts": `export const f = () => [import.meta.dir, import.meta.url, import.meta.main];\n`,
      "src/g.ts": `export const g = () => [import.meta.filename, import.meta.resolve("./f.ts"), typeof import.meta.env, import.meta.require("./h.cjs")];\n`,
      "src/h.cjs": "module.exports = 'h';\n",
    });
    const build = await buildOf(app, ["src/f.ts", "src/g.ts"]);
    expect(build.bytecode).toBe(true);
    expect(await callAll(build)).toEqual([
      { f: [app.path("src"), `file://${app.path("src/f.ts")}`, false] },
      { g: [app.path("src/g.ts"), `file://${app.path("src/f.ts")}`, "object", "h"] },
    ]);
    expect(build.inputs.filter((file) => file.includes("import"))).toEqual([]);
  });

  test("keeps the lines of its sources in stack traces", async () => {
    const app = appWith({
      "f.ts": "const more: string[] = [];\n\n\nexport const f = () => {\n  return new Error(more.join()).stack;\n};\n",
    });
    const [module] = await callAll(await buildOf(app, ["f.ts"]));
    expect(module?.["f"]).toContain(`${app.path("f.ts")}:5:14`);
  });

  test("runs nothing of the app: no module, no macro, no install script", async () => {
    const ran = "require('node:fs').writeFileSync(__dirname + '/ran', '');";
    const app = appWith({ "f.ts": `${ran}\nexport const f = 1;\n`, "macro.ts": `export function m() { ${ran} return 1; }\n` });
    await buildOf(app, ["f.ts"]);
    app.write("f.ts", 'import { m } from "./macro.ts" with { type: "macro" };\nexport const f = m();\n');
    expect(short(await outcomeOf(app, ["f.ts"]), app)).toEqual([
      'error f.ts:2:18 Macros are not supported: nothing of an app runs while it is built | Import it without `with { type: "macro" }`',
    ]);
    expect(existsSync(app.path("ran"))).toBe(false);
  });

  test("does without the surroundings: no .env, no bunfig.toml", async () => {
    const app = appWith({
      "f.ts": "export const f = () => process.env.FROM_FILE ?? process.env.NODE_ENV;\n",
      ".env": "FROM_FILE=1\n",
      "bunfig.toml": 'preload = ["./nowhere.ts"]\n',
    });
    expect(await callAll(await buildOf(app, ["f.ts"]))).toEqual([{ f: "production" }]);
  });

  test("runs where its bytecode is cut short or gone", async () => {
    const app = appWith({ "f.ts": "export const f = () => 'runs';\n" });
    const build = await buildOf(app, ["f.ts"]);
    truncateSync(`${build.bundle}.jsc`, 100);
    expect(await callAll(build)).toEqual([{ f: "runs" }]);
    rmSync(`${build.bundle}.jsc`);
    expect(await callAll(build)).toEqual([{ f: "runs" }]);
  });
});

describe("the same sources", () => {
  const sources = { "f.ts": 'import { g } from "./g.ts";\nexport const f = () => g;\n', "g.ts": "export const g = 1;\n" };
  const lately = (file: string, ms: number): void => utimesSync(file, ms / 1000, ms / 1000);

  test("are not built twice", async () => {
    const app = appWith(sources);
    const first = await buildOf(app, ["f.ts"]);
    // What would be written is not what is there, so that a second build would show.
    rmSync(`${first.bundle}.jsc`);
    expect(await buildOf(app, ["f.ts"])).toEqual(first);
    lately(app.path("g.ts"), 1000);
    expect(await buildOf(app, ["f.ts"])).toEqual(first);
    expect(existsSync(`${first.bundle}.jsc`)).toBe(false);
  });

  test("are built anew after a change of one, and found again after the change back", async () => {
    const app = appWith(sources);
    const first = await buildOf(app, ["f.ts"]);
    app.write("g.ts", "export const g = 2;\n");
    const second = await buildOf(app, ["f.ts"]);
    expect(second.hash).not.toBe(first.hash);
    expect(await callAll(second)).toEqual([{ f: 2 }]);
    app.write("g.ts", "export const g = 1;\n");
    expect((await buildOf(app, ["f.ts"])).hash).toBe(first.hash);
    expect(await callAll(first)).toEqual([{ f: 1 }]);
  });

  test("are built anew where the bundle is not what was written", async () => {
    const app = appWith(sources);
    const build = await buildOf(app, ["f.ts"]);
    truncateSync(build.bundle, 10);
    expect(await callAll(await buildOf(app, ["f.ts"]))).toEqual([{ f: 1 }]);
  });

  test("are kept until nobody uses them", async () => {
    const app = appWith(sources);
    const builds: Build[] = [];
    for (let version = 0; version < 4; version++) {
      app.write("g.ts", `export const g = "version ${version}";\n`);
      builds.push(await buildOf(app, ["f.ts"]));
    }
    const used = builds.filter((_, version) => version === 0 || version === 3);
    removeUnusedBuilds(buildsOf(app), new Set(used.map(({ folder }) => folder)));
    const left = readdirSync(buildsOf(app)).filter((name) => !name.endsWith(".json"));
    expect(left.toSorted()).toEqual(used.map(({ hash }) => hash).toSorted());
  });

  test("may be built by several at once", async () => {
    const app = appWith(sources);
    const builds = await Promise.all(Array.from({ length: 4 }, () => buildOf(app, ["f.ts"])));
    expect(new Set(builds.map(({ hash }) => hash)).size).toBe(1);
    expect(readdirSync(buildsOf(app))).toHaveLength(2);
    expect(await callAll(await buildOf(app, ["f.ts"]))).toEqual([{ f: 1 }]);
  });
});

describe("what is wrong with sources", () => {
  test("is told at once, with places, and with what to watch for a better version", async () => {
    const app = appWith({
      "f.ts": 'import { x } from "no-such-package/deep";\nimport { y } from "./nowhere";\nexport const f = () => [x, y];\n',
      "g.ts": "export const g = (: number) => 1;\n",
      "h.ts": 'import "node:nothing";\nimport "urocket/nothing";\nconst z = 1;\nconst z = 2;\n',
    });
    const outcome = await outcomeOf(app, ["f.ts", "g.ts", "h.ts"]);
    expect(short(outcome, app).toSorted()).toEqual([
      'error f.ts:1:19 Cannot find the package "no-such-package/deep" | Run: npm install no-such-package, in .',
      'error f.ts:2:19 Cannot find the file "./nowhere" | There is no nowhere, with or without an extension',
      "error g.ts:1:19 Unexpected :",
      'error h.ts:4:7 "z" has already been declared | "z" was originally declared here',
    ]);
    expect(!outcome.ok && outcome.inputs).toEqual(
      expect.arrayContaining(
        ["f.ts", "g.ts", "h.ts", "nowhere.ts", "package.json", "node_modules/.package-lock.json"].map((name) => app.path(name)),
      ),
    );
    expect(readdirSync(buildsOf(app))).toEqual([]);
  });

  test("is told of imports that lead nowhere in urocket, and of names that are not exported", async () => {
    const app = appWith({
      "f.ts": 'import "urocket/nothing";\nexport const f = 1;\n',
      "g.ts": 'import { x } from "./f.ts";\nexport const g = x;\n',
    });
    expect(short(await outcomeOf(app, ["f.ts"]), app)).toEqual([
      'error f.ts:1:8 Cannot find the module "urocket/nothing" | urocket has `urocket` and `urocket/testing`',
    ]);
    app.write("f.ts", "export const f = 1;\n");
    expect(short(await outcomeOf(app, ["g.ts"]), app)).toEqual([
      expect.stringMatching(/^error g\.ts:1:10 No matching export in .*f\.ts" for import "x"/),
    ]);
  });

  test("is watched where it was found the last time too", async () => {
    const app = appWith({ "f.ts": 'import { g } from "./g.ts";\nexport const f = () => g;\n', "g.ts": "export const g = 1;\n" });
    await buildOf(app, ["f.ts"]);
    renameSync(app.path("g.ts"), app.path("h.ts"));
    const outcome = await outcomeOf(app, ["f.ts"]);
    expect(!outcome.ok && outcome.inputs).toContain(app.path("g.ts"));
  });

  test("is a place that nothing can be written to", async () => {
    const app = appWith({ "f.ts": "export const f = 1;\n" });
    writeFileSync(buildsOf(app), "");
    expect(short(await outcomeOf(app, ["f.ts"]), app)).toEqual([expect.stringMatching(/^error Cannot build the functions in .*builds: /)]);
  });
});

test("a build that is aborted throws the reason, and leaves nothing", async () => {
  const app = appWith({ "f.ts": "export const f = 1;\n" });
  mkdirSync(buildsOf(app));
  const reason = new Error("enough");
  const built = outcomeOf(app, ["f.ts"], { signal: AbortSignal.abort(reason) });
  await expect(built).rejects.toBe(reason);
  expect(readdirSync(buildsOf(app))).toEqual([]);
});
