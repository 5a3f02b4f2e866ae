/** How a runner is told what functions to serve. */
import { expect, test } from "bun:test";
import { FunctionTrial } from "./function-trial.ts";

async function refusal(
  files: Readonly<Record<string, string>>,
  calls: readonly string[],
  listeners: readonly string[] = [],
): Promise<string> {
  await using trial = await FunctionTrial.spare();
  const loaded = await trial.load({ files, calls, listeners });
  return loaded.ok ? "loaded" : loaded.message;
}

test("functions have their own environment and working directory, and nothing of the runner's", async () => {
  await using trial = await FunctionTrial.open({
    files: {
      "functions.ts":
        "const { ...atLoad } = process.env; export const surroundings = () => ({ atLoad, now: { ...process.env }, cwd: process.cwd() });",
    },
    functions: {
      env: [
        ["LOG", "debug"],
        ["LOG", "info"],
      ],
    },
    load: { environment: { PATH: "/usr/bin", TZ: "Europe/Paris" } },
  });
  const environment = { PATH: "/usr/bin", TZ: "Europe/Paris", LOG: "info", UROCKET_INSTANCE: "instance-1" };
  expect((await trial.answer(0)).json).toEqual({ atLoad: environment, now: environment, cwd: trial.folder });
});

test("what functions start has their environment, and nothing of the runner's", async () => {
  await using trial = await FunctionTrial.open({
    files: {
      "functions.ts": `
        import { spawn } from "bun";
        import { execFileSync } from "node:child_process";
        const text = ({ stdout }) => new Response(stdout).text();
        export const environments = async () => ({
          spawn: await text(Bun.spawn(["env"])),
          imported: await text(spawn(["env"], { cwd: "/", env: undefined })),
          object: await text(Bun.spawn({ cmd: ["env"] })),
          sync: Bun.spawnSync(["env"]).stdout.toString(),
          shell: await Bun.$\`env\`.text(),
          node: execFileSync("env").toString(),
          own: await text(Bun.spawn(["env"], { env: { OWN: "1" } })),
        });`,
    },
    functions: { env: [["LOG", "info"]] },
    load: { environment: { PATH: "/usr/bin" } },
  });
  const { own, ...others } = (await trial.answer(0)).json as Readonly<Record<string, string>>;
  expect(own).toBe("OWN=1\n");
  for (const [how, text] of Object.entries(others)) {
    const lines = text.trim().split("\n");
    // The shell's own.
    const names = lines.filter((line) => !line.startsWith("PWD="));
    expect({ how, names: names.sort() }).toEqual({ how, names: ["LOG=info", "PATH=/usr/bin", "UROCKET_INSTANCE=instance-1"] });
  }
});

test("a spare answers pings before it is loaded, and after", async () => {
  await using trial = await FunctionTrial.spare();
  await trial.ping();
  expect(
    await trial.load({ files: { "functions.ts": "export const f = ({ body }) => body; export const g = () => new Response('r');" } }),
  ).toEqual({ ok: true });
  await trial.ping();
  expect((await trial.answer(0, {}, "[1]")).json).toEqual([1]);
  expect((await trial.answer(1)).text).toBe("r");
  expect(trial.logs).toEqual([]);
});

test("what modules print while they are loaded is in the log, of no call", async () => {
  await using trial = await FunctionTrial.open("console.log('loading'); export const f = () => 1;");
  expect(trial.logs).toEqual([{ stream: "log", level: "info", text: "loading" }]);
});

test("a default export may have fetch(request, ctx), called as its method", async () => {
  await using trial = await FunctionTrial.open({
    files: {
      "functions.ts": `export default { greeting: "hello", async fetch(request, ctx) {
        const { pathname } = new URL(request.url);
        return Response.json({ pathname, text: await request.text(), greeting: this.greeting, id: ctx.requestId, same: request.signal === ctx.signal });
      } };`,
    },
    calls: ["default"],
  });
  const answer = await trial.answer(0, { method: "POST", path: "/a/b", body: "bytes" }, "posted");
  expect(answer.json).toEqual({ pathname: "/a/b", text: "posted", greeting: "hello", id: "id-1", same: true });
});

test("a default export may be a function", async () => {
  await using trial = await FunctionTrial.open({ files: { "functions.ts": "export default ({ params }) => params;" }, calls: ["default"] });
  expect((await trial.answer(0, { params: { a: 1 } })).json).toEqual({ a: 1 });
});

test("a default export that throws is named by its operation", async () => {
  await using trial = await FunctionTrial.open({
    files: { "functions.ts": "export default () => { throw new Error('x'); };" },
    calls: ["default"],
  });
  expect((await trial.answer(0)).resetHead?.detail).toBe("The function of GET /default threw");
});

test("a module that throws is a failure with its stack in the author's file", async () => {
  const message = await refusal({ "functions.ts": "\n\nthrow new Error('no database');\nexport const f = 1;" }, ["f"]);
  expect(message).toMatch(/^cannot load its functions: Error: no database\n\s+at .*functions\.ts:3:\d+/);
});

test("a module that is missing is a failure that names it", async () => {
  expect(await refusal({ "functions.ts": "import './away.ts'; export const f = () => 1;" }, ["f"])).toMatch(
    /^cannot load its functions: .*away\.ts/s,
  );
});

test("exports that cannot be called are told, all of them", async () => {
  const text = "export const n = 1; export const list = []; export default { fetch: 1 }; export const o = { fetch() {} };";
  expect(await refusal({ "functions.ts": text }, ["n", "missing", "default", "list", "missing"], ["o"])).toBe(
    [
      'cannot serve GET /n: its export "n" is a number, not a function',
      'cannot serve GET /missing, GET /missing: its file has no export "missing"',
      'cannot serve GET /default: its export "default" is an object, not a function; the default export may also be an object with fetch()',
      'cannot serve GET /list: its export "list" is a list, not a function',
      'cannot serve tcp:1234: its export "o" is an object, not a function',
    ].join("; "),
  );
});

test("a working directory that is gone is a failure", async () => {
  await using trial = await FunctionTrial.spare();
  const loaded = await trial.load({ files: { "functions.ts": "export const f = () => 1;" }, functions: { folder: "/nowhere/at/all" } });
  expect(loaded).toMatchObject({ ok: false, message: expect.stringContaining("cannot work in /nowhere/at/all: ") });
});

test("a bundle with bytecode is loaded, and its stacks are in the author's files", async () => {
  await using trial = await FunctionTrial.spare();
  const files = {
    "functions.ts":
      "interface Unused {\n  a: 1;\n}\n\nexport const throws = async (): Promise<void> => {\n  await null;\n  throw new Error('mapped');\n};\n",
  };
  const bundle = await trial.bundle(files, [
    "--format=cjs",
    "--bytecode",
    "--minify-syntax",
    "--minify-whitespace",
    "--sourcemap=external",
  ]);
  expect(await trial.load({ files, functions: { bundle } })).toEqual({ ok: true });
  await trial.answer(0);
  expect(trial.logs[0]?.text).toMatch(/^Error: mapped\n\s+at .*functions\.ts:7:\d+\)?$/);
});
